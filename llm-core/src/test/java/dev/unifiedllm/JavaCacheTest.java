package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.CachePolicy;
import dev.unifiedllm.chat.ChatRequest;
import dev.unifiedllm.chat.ChatResponse;
import dev.unifiedllm.chat.EmbeddingResponse;
import dev.unifiedllm.chat.Usd;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The cache of responses as a Java user sets and reads it. */
class JavaCacheTest {
    private static ChatResponse ask(Llm llm, String text) {
        return llm.chat("demo/echo", c -> c.user(text).temperature(0.0).providerOptions(p -> p.put("tokensPerSecond", 0))).get();
    }

    @Test
    void aResponseIsTakenFromTheCache(@TempDir Path folder) {
        LlmBuilder builder = Llm.builder().environment(name -> null)
            .cache(c -> c.memory().memory(10).memory(10, 1_000_000L).disk(folder.resolve("a.db")).ttl(Duration.ofDays(1)).namespace("x")
                .anyTemperature(false).singleFlight(true).maxEntryBytes(1_000_000L));
        try (Llm llm = builder.build()) {
            ChatResponse first = ask(llm, "hi");
            assertFalse(first.cached());
            assertNull(first.savedCost());
            ChatResponse second = ask(llm, "hi");
            assertTrue(second.cached());
            assertEquals(first.text(), second.text());
            assertEquals(Usd.ZERO, second.cost().usd());
            assertNotNull(second.savedCost());
            assertEquals(first.cost(), second.savedCost());
            EmbeddingResponse vectors = llm.embed("demo/embedder", "hi").get();
            assertFalse(vectors.cached());
            assertTrue(llm.embed("demo/embedder", "hi").get().cached());
        }
        try (Llm llm = Llm.builder().environment(name -> null).cache(c -> c.disk(folder.resolve("a.db").toString()).namespace("x")).build()) {
            assertTrue(ask(llm, "hi").cached());
        }
        try (Llm llm = Llm.builder().environment(name -> null).cache(false).build()) {
            assertFalse(ask(llm, "hi").cached());
        }
    }

    @Test
    void aCallHasAPolicyOfItsOwn() {
        ChatRequest request = ChatRequest.build("demo/echo",
            c -> c.user("hi").cache(p -> p.noCache(true).noStore(false).ttl(Duration.ofMinutes(5)).namespace("n")));
        CachePolicy policy = request.context().cache();
        assertTrue(policy.noCache());
        assertFalse(policy.noStore());
        assertEquals(Duration.ofMinutes(5), policy.ttl());
        assertEquals("n", policy.namespace());
        CachePolicy off = ChatRequest.build("demo/echo", c -> c.user("hi").cache(false)).context().cache();
        assertTrue(off.noCache() && off.noStore());
        assertThrows(IllegalArgumentException.class, () -> ChatRequest.build("demo/echo", c -> c.cache(p -> p.ttl(Duration.ZERO))));
        assertThrows(IllegalArgumentException.class, () -> Llm.builder().cache(c -> c.memory(0)));
    }
}
