import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.security.auth.callback.Callback;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerExtensionsValidatorCallback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallback;

/** Takes what Amazon MSK takes in its form: a signed URL, in base64. Whether the signature is right, its test says. */
public final class MskTokens implements AuthenticateCallbackHandler {
    private static final String KEY = "AKIDEXAMPLE";

    @Override
    public void configure(Map<String, ?> settings, String mechanism, List<AppConfigurationEntry> entries) {
    }

    @Override
    public void close() {
    }

    @Override
    public void handle(Callback[] callbacks) {
        for (Callback callback : callbacks) {
            if (callback instanceof OAuthBearerValidatorCallback) {
                validate((OAuthBearerValidatorCallback) callback);
            } else if (callback instanceof OAuthBearerExtensionsValidatorCallback) {
                OAuthBearerExtensionsValidatorCallback extensions = (OAuthBearerExtensionsValidatorCallback) callback;
                extensions.inputExtensions().map().keySet().forEach(extensions::valid);
            }
        }
    }

    private static void validate(OAuthBearerValidatorCallback callback) {
        Map<String, String> query = query(callback.tokenValue());
        String credential = query.getOrDefault("X-Amz-Credential", "");
        boolean meant = "kafka-cluster:Connect".equals(query.get("Action"));
        if (meant && credential.startsWith(KEY + "/") && credential.endsWith("/kafka-cluster/aws4_request")) {
            callback.token(new Token(callback.tokenValue(), Long.parseLong(query.get("X-Amz-Expires"))));
        } else {
            callback.error("Access denied", null, null);
        }
    }

    private static Map<String, String> query(String token) {
        Map<String, String> found = new HashMap<>();
        String url = new String(Base64.getUrlDecoder().decode(token), StandardCharsets.UTF_8);
        for (String part : URI.create(url).getRawQuery().split("&")) {
            String[] pair = part.split("=", 2);
            found.put(pair[0], URLDecoder.decode(pair[1], StandardCharsets.UTF_8));
        }
        return found;
    }

    private static final class Token implements OAuthBearerToken {
        private final String value;
        private final long end;

        Token(String value, long seconds) {
            this.value = value;
            this.end = System.currentTimeMillis() + seconds * 1000;
        }

        @Override
        public String value() {
            return value;
        }

        @Override
        public Set<String> scope() {
            return Set.of();
        }

        @Override
        public long lifetimeMs() {
            return end;
        }

        @Override
        public String principalName() {
            return KEY;
        }

        @Override
        public Long startTimeMs() {
            return null;
        }
    }
}
