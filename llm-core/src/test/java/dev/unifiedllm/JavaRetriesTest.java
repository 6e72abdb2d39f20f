package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.ChatResponse;
import dev.unifiedllm.chat.Delta;
import dev.unifiedllm.chat.OnInterrupted;
import dev.unifiedllm.transport.LoopbackServer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import kotlin.Unit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Retries and fallbacks from Java: seen while they happen. */
class JavaRetriesTest {
    private static final String ERROR = "{\"error\":{\"message\":\"It is overloaded\",\"type\":\"server_error\"}}";

    /** The response that follows a refused request is sent when this is open. */
    private final CountDownLatch seen = new CountDownLatch(1);
    private final AtomicInteger requests = new AtomicInteger();
    private final LoopbackServer server = new LoopbackServer((exchange, request) -> {
        if (requests.incrementAndGet() == 1) {
            exchange.raw("HTTP/1.1 503 X\r\nContent-Type: application/json\r\nContent-Length: " + ERROR.length() + "\r\n\r\n" + ERROR);
        } else {
            await();
            exchange.sse(
                "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ok\"},\"finish_reason\":null}]}\n\n",
                "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
                "data: [DONE]\n\n");
        }
        return Unit.INSTANCE;
    });

    private void await() {
        try {
            seen.await(10, TimeUnit.SECONDS);
        } catch (InterruptedException interrupt) {
            throw new IllegalStateException(interrupt);
        }
    }

    private LlmBuilder client() {
        return Llm.builder().environment(name -> null)
            .provider("own", p -> p.baseUrl(server.getUrl()))
            .provider("second", p -> p.baseUrl(server.getUrl()))
            .retry(r -> r.maxRetries(2).baseDelay(Duration.ofMillis(20)).maxDelay(Duration.ofSeconds(1)).maxRetryAfter(Duration.ofSeconds(60))
                .onInterrupted(OnInterrupted.FAIL));
    }

    @AfterEach
    void close() {
        server.close();
    }

    @Test
    void aRetryIsAnEventBeforeItsResponse() {
        try (Llm llm = client().build()) {
            List<Delta> events = new CopyOnWriteArrayList<>();
            ChatResponse response = llm.chat("own/m", "hi").forEachEvent(delta -> {
                events.add(delta);
                if (delta instanceof Delta.Attempt) seen.countDown();
            });
            assertEquals("ok", response.text());
            Delta.Attempt attempt = assertInstanceOf(Delta.Attempt.class, events.get(0));
            assertInstanceOf(LlmException.Overloaded.class, attempt.error());
            assertTrue(attempt.error().getMessage().contains("It is overloaded"), attempt.error().getMessage());
            assertTrue(attempt.delay().compareTo(Duration.ofMillis(20)) <= 0);
            assertEquals(2, response.attempts().size());
            assertFalse(response.fallbackUsed());
        }
    }

    @Test
    void aPublisherHasTheFallbackBeforeItsResponse() throws Exception {
        try (Llm llm = client().retry(r -> r.maxRetries(0)).fallback("second/m").build()) {
            List<Delta> events = new CopyOnWriteArrayList<>();
            CompletableFuture<Void> end = new CompletableFuture<>();
            Reply reply = llm.chat("own/m", "hi");
            reply.toPublisher().subscribe(new Flow.Subscriber<>() {
                @Override
                public void onSubscribe(Flow.Subscription subscription) {
                    subscription.request(Long.MAX_VALUE);
                }

                @Override
                public void onNext(Delta delta) {
                    events.add(delta);
                    if (delta instanceof Delta.Attempt) seen.countDown();
                }

                @Override
                public void onError(Throwable failure) {
                    end.completeExceptionally(failure);
                }

                @Override
                public void onComplete() {
                    end.complete(null);
                }
            });
            end.get(10, TimeUnit.SECONDS);
            Delta.Attempt attempt = assertInstanceOf(Delta.Attempt.class, events.get(0));
            assertEquals("own/m", attempt.model().toString());
            assertNull(attempt.delay());
            assertNotNull(attempt.error());
            assertTrue(reply.get().fallbackUsed());
            assertEquals("second/m", reply.get().model().toString());
        }
    }

    @Test
    void forEachDeltaGivesTheTextOfTheLastAttempt() {
        seen.countDown();
        try (Llm llm = client().build()) {
            StringBuilder text = new StringBuilder();
            llm.chat("own/m", "hi").forEachDelta(text::append);
            assertEquals("ok", text.toString());
        }
    }

    @Test
    void aCallSetsItsOwnPolicy() {
        try (Llm llm = client().build()) {
            Reply reply = llm.chat("own/m", c -> c.user("hi").retry(r -> r.maxRetries(0)));
            LlmException.Overloaded failure = assertThrows(LlmException.Overloaded.class, reply::get);
            assertEquals(1, failure.attempts().size());
            assertTrue(failure.getMessage().endsWith("or add a fallback."), failure.getMessage());
            assertEquals(1, requests.get());
        }
    }
}
