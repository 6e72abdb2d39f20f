package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.transport.Certificates;
import dev.unifiedllm.transport.LoopbackServer;
import io.ktor.client.HttpClient;
import io.ktor.client.HttpClientKt;
import io.ktor.client.engine.java.Java;
import java.util.List;
import kotlin.Unit;
import org.junit.jupiter.api.Test;

/** A Ktor client of the user's own, from Java. */
class HttpClientTest {
    private static final String ANSWER = "{\"id\":\"1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"}]}";

    private LoopbackServer server() {
        return new LoopbackServer((exchange, request) -> {
            exchange.raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + ANSWER.length() + "\r\n\r\n" + ANSWER);
            return Unit.INSTANCE;
        });
    }

    @Test
    void itSendsTheRequestsAndStaysOpen() {
        try (LoopbackServer server = server(); HttpClient client = HttpClientKt.HttpClient(Java.INSTANCE, config -> Unit.INSTANCE)) {
            for (String text : List.of("one", "two")) {
                try (Llm llm = Llm.builder().httpClient(client).provider("own", p -> p.baseUrl(server.getUrl())).build()) {
                    assertEquals("Hello", llm.chat("own/m", text).get().text());
                }
            }
            assertEquals(2, server.getRequests().size());
        }
    }

    @Test
    void anSslContextBesideItIsRefused() {
        try (HttpClient client = HttpClientKt.HttpClient(Java.INSTANCE, config -> Unit.INSTANCE)) {
            LlmBuilder builder = Llm.builder().sslContext(Certificates.context()).httpClient(client);
            LlmException.Configuration failure = assertThrows(LlmException.Configuration.class, builder::build);
            assertTrue(failure.getMessage().contains("sslContext") && failure.getMessage().contains("httpClient"));
        }
    }
}
