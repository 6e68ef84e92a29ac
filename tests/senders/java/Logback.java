import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;
import org.slf4j.event.Level;

/** Sends logs FIRST … FIRST + COUNT - 1 by logback, which a property names the configuration for. */
public class Logback {
    private static final Level[] LEVELS = {Level.INFO, Level.WARN, Level.ERROR};

    /** NAME FIRST COUNT; in slices, a moment apart: a trial needs time in which things happen. */
    public static void main(String[] args) throws InterruptedException {
        Logger logger = LoggerFactory.getLogger("orders");
        int first = Integer.parseInt(args[1]);
        for (int n = first; n < first + Integer.parseInt(args[2]); n++) {
            MDC.put("n", String.valueOf(n));
            logger.atLevel(LEVELS[n % 3]).log(args[0] + " #" + n + ". at " + System.currentTimeMillis());
            if (n % 50 == 49) {
                Thread.sleep(20);
            }
        }
        ((ch.qos.logback.classic.LoggerContext) LoggerFactory.getILoggerFactory()).stop();
    }
}
