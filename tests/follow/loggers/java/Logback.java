import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Writes the lines FIRST … END - 1 by logback, which a property names the configuration for. */
public class Logback {
    /** NAME FIRST END; in slices, a moment apart: a trial needs time in which things happen. */
    public static void main(String[] args) throws InterruptedException {
        Logger logger = LoggerFactory.getLogger("orders");
        String padding = "x".repeat(60);
        int end = Integer.parseInt(args[2]);
        for (int n = Integer.parseInt(args[1]); n < end; n++) {
            logger.info(args[0] + " #" + n + ". " + padding + " " + n + ";");
            if (n % 50 == 49) {
                Thread.sleep(10);
            }
        }
        ((ch.qos.logback.classic.LoggerContext) LoggerFactory.getILoggerFactory()).stop();
    }
}
