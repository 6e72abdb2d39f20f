package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.Delta;
import dev.unifiedllm.chat.Part;
import dev.unifiedllm.transport.LoopbackServer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import kotlin.Unit;
import org.junit.jupiter.api.Test;

/** Tools that a provider runs itself, from Java. */
class BuiltInToolsTest {
    private static final String CALL =
        "{\"id\":\"ws_1\",\"type\":\"web_search_call\",\"status\":\"completed\",\"action\":{\"type\":\"search\",\"query\":\"news\"}}";
    private static final String TEXT =
        "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":\"It rains.\","
            + "\"annotations\":[{\"type\":\"url_citation\",\"url\":\"https://example.com/rain\",\"title\":\"Rain\"}]}]}";
    private static final String ANSWER =
        "{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\",\"model\":\"gpt-5.2\",\"output\":[" + CALL + "," + TEXT + "],"
            + "\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}";
    private static final String TOOLS = "[{\"type\":\"web_search\"}]";

    private static LoopbackServer server() {
        return new LoopbackServer(null, false, (exchange, request) -> {
            exchange.sse("data: {\"type\":\"response.completed\",\"response\":" + ANSWER + "}\n\n");
            return Unit.INSTANCE;
        });
    }

    private static Llm llm(LoopbackServer server) {
        Map<String, String> environment = Map.of("OPENAI_API_KEY", "sk-test", "OPENAI_BASE_URL", server.getUrl());
        return Llm.builder().environment(environment::get).build();
    }

    @Test
    void aWebSearchIsTurnedOnAndSentBackWithTheNextTurn() {
        try (LoopbackServer server = server(); Llm llm = llm(server)) {
            Conversation talk = llm.conversation("openai/responses/gpt-5.2", c -> c.providerOptions(o -> o.putJson("tools", TOOLS)));
            var answer = talk.ask("Does it rain?").get();
            assertEquals("It rains.", answer.text());
            assertEquals(List.of(new Delta.Source("https://example.com/rain", "Rain")), answer.sources());
            Part.Raw search = answer.parts().stream().filter(Part.Raw.class::isInstance).map(Part.Raw.class::cast).findFirst().orElseThrow();
            assertEquals("web_search_call", search.type());
            assertEquals(CALL, search.json());
            assertEquals("openai-responses", search.protocol());

            talk.ask("And tomorrow?").get();
            assertTrue(server.getRequests().get(0).getBody().contains("\"tools\":" + TOOLS));
            assertTrue(server.getRequests().get(1).getBody().contains(CALL));
        }
    }

    @Test
    void theBlocksArriveAsDeltas() {
        try (LoopbackServer server = server(); Llm llm = llm(server)) {
            List<String> types = new ArrayList<>();
            llm.chat("openai/responses/gpt-5.2", c -> c.user("Does it rain?")).forEachEvent(delta -> {
                if (delta instanceof Delta.Raw raw) types.add(raw.type());
            });
            assertEquals(List.of("web_search_call"), types);
        }
    }

    @Test
    void anOptionThatIsNoJsonIsRefused() {
        try (Llm llm = Llm.create()) {
            assertThrows(
                IllegalArgumentException.class,
                () -> llm.chat("openai/responses/gpt-5.2", c -> c.providerOptions(o -> o.putJson("tools", "[{"))).get());
        }
    }
}
