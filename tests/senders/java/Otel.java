// IMPORTS OF THE BLOCK
import io.opentelemetry.api.logs.Severity;

/** Sends logs FIRST … FIRST + COUNT - 1 by OpenTelemetry's SDK, which a block of docs/senders.md sets up. */
public class Otel {
    private static final Severity[] LEVELS = {Severity.INFO, Severity.WARN, Severity.ERROR};

    /** NAME FIRST COUNT; in slices, a moment apart: a trial needs time in which things happen. */
    public static void main(String[] args) throws InterruptedException {
        // THE BLOCK
        int first = Integer.parseInt(args[1]);
        for (int n = first; n < first + Integer.parseInt(args[2]); n++) {
            logger.logRecordBuilder()
                    .setSeverity(LEVELS[n % 3])
                    .setSeverityText(LEVELS[n % 3].name())
                    .setBody(args[0] + " #" + n + ". at " + System.currentTimeMillis())
                    .setAttribute(AttributeKey.longKey("n"), (long) n)
                    .emit();
            if (n % 50 == 49) {
                Thread.sleep(20);
            }
        }
        provider.close();
    }
}
