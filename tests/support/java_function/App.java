import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The function of the invokers' contract suite, as Lambda's Java runtime takes it. */
public class App implements RequestStreamHandler {
    private static final int LIMIT = 6 * 1024 * 1024 + 100;
    private static final Pattern DO = Pattern.compile("\"do\": \"(\\w+)\"");

    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
        byte[] event = input.readAllBytes();
        String text = new String(event, 0, Math.min(event.length, 1000), StandardCharsets.UTF_8);
        Matcher asked = DO.matcher(text);
        output.write(asked.find() ? done(asked.group(1), text) : event);
    }

    private static byte[] done(String what, String event) throws IOException {
        switch (what) {
            case "fail":
                throw new IllegalArgumentException("no such order: 7");
            case "exit":
                System.exit(3);
                return null;
            case "big":
                return text("x".repeat(LIMIT - 2 + Integer.parseInt(member(event, "over"))));
            case "environment":
                return text(System.getenv("AWS_EXECUTION_ENV"));
            case "meet":
                File here = new File(member(event, "directory"));
                new File(here, UUID.randomUUID().toString()).createNewFile();
                while (here.list().length < Integer.parseInt(member(event, "count"))) {
                    pause();
                }
                return text("met");
            default: // hang
                File directory = new File(member(event, "directory"));
                new File(directory, Long.toString(ProcessHandle.current().pid())).createNewFile();
                while (directory.isDirectory()) {
                    pause();
                }
                return text("");
        }
    }

    private static byte[] text(String value) {
        return ('"' + value + '"').getBytes(StandardCharsets.UTF_8);
    }

    private static String member(String event, String name) {
        Matcher found = Pattern.compile("\"" + name + "\": \"?([^\",}]*)").matcher(event);
        if (!found.find()) {
            throw new IllegalArgumentException(name);
        }
        return found.group(1);
    }

    private static void pause() {
        try {
            Thread.sleep(5);
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException(interrupted);
        }
    }
}
