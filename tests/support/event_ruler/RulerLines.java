import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import software.amazon.event.ruler.Machine;
import software.amazon.event.ruler.MachineComplexityEvaluator;

/**
 * One JSON object per line in, one out: {"pattern": text, "event": text} gives {"match": bool} or {"error": text}.
 * With "complexity": n instead of an event, {"complexity": number, at most n}; with "patterns",
 * "events", "warm" and "seconds", {"speed": events per second of CPU time}.
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

    /** Events per second of CPU time, matched against all patterns in one machine, after a warm-up. */
    private static ObjectNode speed(JsonNode question) throws Exception {
        Machine machine = new Machine();
        for (int at = 0; at < question.get("patterns").size(); at++) {
            machine.addRule("rule" + at, question.get("patterns").get(at).asText());
        }
        run(machine, question.get("events"), question.get("warm").asDouble());
        return MAPPER.createObjectNode().put(
            "speed", run(machine, question.get("events"), question.get("seconds").asDouble()));
    }

    private static double run(Machine machine, JsonNode events, double seconds) throws Exception {
        String[] texts = new String[events.size()];
        for (int at = 0; at < texts.length; at++) {
            texts[at] = events.get(at).asText();
        }
        ThreadMXBean clock = ManagementFactory.getThreadMXBean();
        long started = clock.getCurrentThreadCpuTime();
        long done = 0;
        while (clock.getCurrentThreadCpuTime() - started < seconds * 1e9) {
            for (String text : texts) {
                machine.rulesForJSONEvent(text);
            }
            done += texts.length;
        }
        return done / ((clock.getCurrentThreadCpuTime() - started) / 1e9);
    }

    private static ObjectNode answer(JsonNode question) {
        ObjectNode answer = MAPPER.createObjectNode();
        try {
            if (question.has("patterns")) {
                return speed(question);
            }
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
