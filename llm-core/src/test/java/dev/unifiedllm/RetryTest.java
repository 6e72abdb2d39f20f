package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.ChatRequest;
import dev.unifiedllm.chat.Delta;
import dev.unifiedllm.chat.OnInterrupted;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.SubmissionPublisher;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class RetryTest {
    /** Fails the first attempts of a call. */
    private static Interceptor failingFirst(AtomicInteger calls, int failures) {
        return Interceptor.of((request, next) -> {
            if (calls.incrementAndGet() <= failures) throw new LlmException.Overloaded("it is overloaded");
            return next.publisher(request);
        });
    }

    private static LlmBuilder builder() {
        return Llm.builder().environment(name -> null)
            .retry(r -> r.maxRetries(2).baseDelay(Duration.ofMillis(1)).maxDelay(Duration.ofMillis(2)).maxRetryAfter(Duration.ofSeconds(30)));
    }

    @Test
    void aFailedAttemptIsSentAgain() {
        AtomicInteger calls = new AtomicInteger();
        try (Llm llm = builder().intercept(failingFirst(calls, 2), Level.ATTEMPT).build()) {
            var response = llm.chat("demo/echo", "Hello").get();
            assertEquals(3, calls.get());
            assertEquals(3, response.attempts().size());
            Delta.Attempt first = response.attempts().get(0);
            assertTrue(first.error() instanceof LlmException.Overloaded);
            assertTrue(first.delay().toMillis() <= 2);
        }
    }

    @Test
    void aCallCanSetItsOwnPolicy() {
        AtomicInteger calls = new AtomicInteger();
        try (Llm llm = builder().intercept(failingFirst(calls, 9), Level.ATTEMPT).build()) {
            var reply = llm.chat("demo/echo", c -> c.user("Hello").retry(r -> r.maxRetries(0).onInterrupted(OnInterrupted.FAIL)));
            var failure = assertThrows(LlmException.Overloaded.class, reply::get);
            assertEquals(1, calls.get());
            assertEquals(1, failure.attempts().size());
        }
    }

    @Test
    void fallbacksHaveListsForLongAndForFilteredRequests() {
        Model small = Model.of("my/small", request -> {
            throw new LlmException.ContextLengthExceeded("too long");
        });
        Model strict = Model.of("my/strict", request -> {
            throw new LlmException.ContentFiltered("no");
        });
        try (Llm llm = builder().contentPolicyFallback("demo/echo").build()) {
            assertEquals("demo/echo", llm.chat(small, c -> c.user("Hello").contextWindowFallback("demo/echo")).get().model().toString());
            assertEquals("demo/echo", llm.chat(strict, "Hello").get().model().toString());
            assertThrows(LlmException.ContextLengthExceeded.class, () -> llm.chat(small, "Hello").get());
        }
        try (Llm llm = builder().fallback("demo/echo").fallbackOnAnyError(true).build()) {
            assertTrue(llm.chat(small, "Hello").get().fallbackUsed());
        }
    }

    @Test
    void modelsHaveTimeoutsOfTheirOwn() {
        Model slow = Model.of("my/slow", request -> new SubmissionPublisher<>());
        try (Llm llm = builder().timeouts("my/slow", t -> t.total(Duration.ofMillis(50))).build()) {
            var failure = assertThrows(LlmException.Timeout.class, () -> llm.chat(slow, "Hello").get());
            assertEquals(LlmException.Timeout.Phase.TOTAL, failure.phase());
        }
    }

    @Test
    void requestsCarryThePolicy() {
        ChatRequest request = ChatRequest.build("demo/echo", c -> c.user("Hi").retry(r -> r.maxRetries(5)).fallbackOnAnyError(true));
        assertEquals(5, request.context().retry().maxRetries());
        assertEquals(List.of(), request.context().contextWindowFallbacks());
        assertEquals(Boolean.TRUE, request.context().fallbackOnAnyError());
    }
}
