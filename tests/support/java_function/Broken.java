import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.InputStream;
import java.io.OutputStream;

/** A function whose init fails. */
public class Broken implements RequestStreamHandler {
    public Broken() {
        throw new IllegalStateException("no module named stock");
    }

    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context) {}
}
