package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.transport.LoopbackServer;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import kotlin.Unit;
import org.junit.jupiter.api.Test;

/** The log of requests and responses, detailed failures and wrong settings, from Java. */
class HttpLogTest {
    private static final String KEY = "sk-test-0123456789abcdef";
    private static final String ANSWER = "{\"id\":\"1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"}]}";

    private static LoopbackServer server(int status, String body) {
        return new LoopbackServer((exchange, request) -> {
            exchange.raw("HTTP/1.1 " + status + " X\r\nContent-Type: application/json\r\nContent-Length: " + body.length() + "\r\n\r\n" + body);
            return Unit.INSTANCE;
        });
    }

    private static LlmBuilder client(LoopbackServer server) {
        return Llm.builder().environment(name -> null).provider("own", p -> p.baseUrl(server.getUrl()).apiKey(KEY)).retry(r -> r.maxRetries(0));
    }

    @Test
    void aLogHasTheHeadsOrTheBodiesButNoKey() {
        List<String> heads = new CopyOnWriteArrayList<>();
        List<String> bodies = new CopyOnWriteArrayList<>();
        try (LoopbackServer server = server(200, ANSWER);
            Llm quiet = client(server).httpLog(heads::add).build();
            Llm loud = client(server).httpLog(HttpLogLevel.BODIES, bodies::add).build()) {
            assertEquals("Hello", quiet.chat("own/m", "hi").get().text());
            assertEquals("Hello", loud.chat("own/m", "hi").get().text());
        }
        assertTrue(String.join("\n", heads).contains("> POST"));
        assertFalse(String.join("\n", heads).contains("Hello"));
        assertTrue(String.join("\n", bodies).contains("Hello"));
        assertFalse((heads + " " + bodies).contains(KEY));
    }

    @Test
    void aDetailedFailureHasTheBodyWithoutTheKey() {
        try (LoopbackServer server = server(401, "{\"error\":{\"message\":\"no\",\"trace\":\"deep, " + KEY + "\"}}");
            Llm llm = client(server).detailedErrors(true).verbose(false).build()) {
            LlmException.Authentication failure = assertThrows(LlmException.Authentication.class, () -> llm.chat("own/m", "hi").get());
            assertTrue(failure.getMessage().contains("status 401"), failure.getMessage());
            assertTrue(failure.getMessage().contains("deep, ***"), failure.getMessage());
        }
    }

    @Test
    void aVariableThatIsNoSwitchIsNamed() {
        LlmBuilder builder = Llm.builder().environment(name -> name.equals("DETAILED_ERROR") ? "maybe" : null);
        assertTrue(assertThrows(LlmException.Configuration.class, builder::build).getMessage().contains("The variable DETAILED_ERROR must be true or false"));
    }

    @Test
    void aModelNameThatCannotBeSeenIsRefused() {
        String message = assertThrows(IllegalArgumentException.class, () -> Llm.builder().fallback("openai/gpt\u202E")).getMessage();
        assertTrue(message.contains("\\u202e"), message);
    }
}
