package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.RoutingStrategy;
import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Groups, hedges and routes, as a Java user writes them. */
class JavaGroupsTest {
    private static LlmBuilder builder() {
        return Llm.builder().environment(name -> null);
    }

    @Test
    void aGroupIsAModel() {
        Model group = Models.group("all", g -> g
            .strategy(RoutingStrategy.IN_ORDER)
            .cooldown(Duration.ofSeconds(10))
            .target("openai/gpt-4o", t -> t.apiKey("sk-test-a").baseUrl("http://127.0.0.1:1/v1").allowInsecure(false).weight(2))
            .target("demo/echo")
            .target(Models.simple(String::toUpperCase), t -> t.weight(3)));
        try (Llm llm = builder().retry(r -> r.maxRetries(0)).build()) {
            var response = llm.chat(group, "hello").get();
            assertEquals("demo/echo", response.model().toString());
            assertEquals(2, response.attempts().size());
            assertTrue(response.fallbackUsed());
        }
    }

    @Test
    void aHedgeGivesTheFastestResponse() {
        Model slow = Models.simple(prompt -> {
            try {
                Thread.sleep(5_000);
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
            return "slow";
        });
        try (Llm llm = builder().build()) {
            assertEquals("fast", llm.chat(Models.hedge(Duration.ofMillis(5), slow, Models.simple(prompt -> "fast")), "hello").get().text());
            Model group = Models.group("fast", g -> g.strategy(RoutingStrategy.IN_ORDER).hedgeAfter(Duration.ofMillis(5)).target(slow).target("demo/echo"));
            assertEquals("demo/echo", llm.chat(group, "hello").get().model().toString());
            assertTrue(Set.of("demo/echo", "demo/storyteller")
                .contains(llm.chat(Models.hedge(Duration.ofSeconds(5), "demo/echo", "demo/storyteller"), "hello").get().model().toString()));
        }
    }

    @Test
    void aTaskHasItsModel() {
        try (Llm llm = builder().route(r -> r.task("repeat", "demo/echo").task("shout", Models.simple(String::toUpperCase))).build()) {
            assertEquals("demo/echo", llm.chat(c -> c.task("repeat").user("hello")).get().model().toString());
            assertEquals("HELLO", llm.chat(c -> c.task("shout").user("hello")).get().text());
            assertThrows(LlmException.Configuration.class, () -> llm.chat(c -> c.task("other").user("hello")).get());
        }
    }

    @Test
    void mistakesAreToldAtOnce() {
        assertThrows(IllegalArgumentException.class, () -> Models.group("empty", g -> { }));
        assertThrows(IllegalArgumentException.class, () -> Models.group("gpt", g -> g.target("demo/echo", t -> t.weight(0))));
    }
}
