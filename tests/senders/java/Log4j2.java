import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.apache.logging.log4j.ThreadContext;

/** Sends logs FIRST … FIRST + COUNT - 1 by log4j2, which a property names the configuration for. */
public class Log4j2 {
    private static final Level[] LEVELS = {Level.INFO, Level.WARN, Level.ERROR};

    /** NAME FIRST COUNT; in slices, a moment apart: a trial needs time in which things happen. */
    public static void main(String[] args) throws InterruptedException {
        Logger logger = LogManager.getLogger("orders");
        int first = Integer.parseInt(args[1]);
        for (int n = first; n < first + Integer.parseInt(args[2]); n++) {
            ThreadContext.put("n", String.valueOf(n));
            logger.log(LEVELS[n % 3], args[0] + " #" + n + ". at " + System.currentTimeMillis());
            if (n % 50 == 49) {
                Thread.sleep(20);
            }
        }
        LogManager.shutdown();
    }
}
