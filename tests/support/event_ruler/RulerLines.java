import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import software.amazon.event.ruler.Machine;
import software.amazon.event.ruler.MachineComplexityEvaluator;

/**
 * One JSON object per line in, one out: {"pattern": text, "event": text} gives {"match": bool} or {"error": text}.
 * With "complexity": n instead of an event, {"complexity": number, at most n}.
 */
public final class RulerLines {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(MAPPER.writeValueAsString(answer(MAPPER.readTree(line))));
            out.flush();
        }
    }

    private static ObjectNode answer(JsonNode question) {
        ObjectNode answer = MAPPER.createObjectNode();
        try {
            Machine machine = new Machine();
            machine.addRule("rule", question.get("pattern").asText());
            if (question.has("complexity")) {
                int limit = question.get("complexity").asInt();
                return answer.put("complexity", machine.evaluateComplexity(new MachineComplexityEvaluator(limit)));
            }
            return answer.put("match", !machine.rulesForJSONEvent(question.get("event").asText()).isEmpty());
        } catch (Exception | StackOverflowError fault) {
            return answer.put("error", String.valueOf(fault.getMessage()));
        }
    }
}
