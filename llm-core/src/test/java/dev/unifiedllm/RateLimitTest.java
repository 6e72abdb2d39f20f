package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Rate limits as a Java user sets them. */
class RateLimitTest {
    private static final Model LIMITED = Models.simple(prompt -> prompt + "!");

    @Test
    void aCallThatWouldWaitTooLongFailsAtOnce() {
        LlmBuilder builder = Llm.builder().environment(name -> null)
            .limit(l -> l.maxParallel(8))
            .limit(LIMITED.getId().toString(), l -> l.requestsPerMinute(1).tokensPerMinute(100_000L).maxParallel(4));
        try (Llm llm = builder.build()) {
            assertEquals("hi!", llm.chat(LIMITED, "hi").get().text());
            Reply second = llm.chat(LIMITED, c -> c.user("hi").timeouts(t -> t.total(Duration.ofSeconds(20))));
            LlmException.RateLimited failure = assertThrows(LlmException.RateLimited.class, second::get);
            assertFalse(failure.isRetryable());
            assertTrue(failure.retryAfter().toSeconds() > 50);
            assertTrue(failure.getMessage().contains("requestsPerMinute"), failure.getMessage());
        }
    }

    @Test
    void aLimitMustBePositive() {
        for (java.util.function.Consumer<RateLimitBuilder> set : List.<java.util.function.Consumer<RateLimitBuilder>>of(
            l -> l.requestsPerMinute(0), l -> l.tokensPerMinute(0), l -> l.maxParallel(-1)
        )) {
            assertThrows(IllegalArgumentException.class, () -> Llm.builder().limit("groq", set));
        }
    }
}
