import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/** Writes the lines FIRST … END - 1 by log4j2, which a property names the configuration for. */
public class Log4j2 {
    /** NAME FIRST END; in slices, a moment apart: a trial needs time in which things happen. */
    public static void main(String[] args) throws InterruptedException {
        Logger logger = LogManager.getLogger("orders");
        String padding = "x".repeat(60);
        int end = Integer.parseInt(args[2]);
        for (int n = Integer.parseInt(args[1]); n < end; n++) {
            logger.info(args[0] + " #" + n + ". " + padding + " " + n + ";");
            if (n % 50 == 49) {
                Thread.sleep(10);
            }
        }
        LogManager.shutdown();
    }
}
