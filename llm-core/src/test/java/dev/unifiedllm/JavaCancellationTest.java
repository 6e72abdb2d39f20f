package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.Delta;
import dev.unifiedllm.transport.LoopbackServer;
import java.util.Iterator;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import kotlin.Unit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Each way in which Java leaves a call: the server sees the connection closed. */
class JavaCancellationTest {
    private final BlockingQueue<Long> closed = new LinkedBlockingQueue<>();
    private final LoopbackServer server = new LoopbackServer((exchange, request) -> {
        exchange.sse("data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"},\"finish_reason\":null}]}\n\n");
        exchange.hold();
        closed.add(System.nanoTime());
        return Unit.INSTANCE;
    });
    private final Llm llm = Llm.builder().environment(name -> null).provider("own", p -> p.baseUrl(server.getUrl())).build();
    private final Reply reply = llm.chat("own/m", "hi");

    @AfterEach
    void close() {
        llm.close();
        server.close();
    }

    /** Waits until a piece of text is there. */
    private void arrived() throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
        while (reply.partial() == null || !reply.partial().text().equals("Hello")) {
            assertTrue(System.nanoTime() < end, "no text arrived");
            Thread.sleep(1);
        }
    }

    /** The connection was closed soon after the time {@code since}, and what had arrived is kept. */
    private void isClosed(long since) throws Exception {
        Long at = closed.poll(5, TimeUnit.SECONDS);
        assertNotNull(at, "the connection is open");
        assertTrue(at - since < TimeUnit.MILLISECONDS.toNanos(300), (at - since) / 1_000_000 + " ms");
        LlmException.Cancelled failure = assertThrows(LlmException.Cancelled.class, reply::get);
        assertEquals("Hello", failure.partial().text());
        assertTrue(failure.partial().usage().estimated());
        assertEquals(2, failure.partial().usage().outputTokens());
        assertEquals(Reply.State.CANCELLED, reply.state());
        assertNull(reply.partial().finishReason());
    }

    @Test
    void aFutureIsCancelled() throws Exception {
        CompletableFuture<?> future = reply.toFuture();
        arrived();
        long since = System.nanoTime();
        future.cancel(true);
        isClosed(since);
        assertThrows(CancellationException.class, future::join);
    }

    @Test
    void aFutureTimesOut() throws Exception {
        CompletableFuture<?> future = reply.toFuture();
        arrived();
        long since = System.nanoTime();
        future.orTimeout(1, TimeUnit.MILLISECONDS);
        assertInstanceOf(TimeoutException.class, assertThrows(CompletionException.class, future::join).getCause());
        isClosed(since);
    }

    @Test
    void aFutureWhoseGetTimesOutIsCancelledByItsOwner() throws Exception {
        CompletableFuture<?> future = reply.toFuture();
        arrived();
        assertThrows(TimeoutException.class, () -> future.get(1, TimeUnit.MILLISECONDS));
        assertEquals(Reply.State.RUNNING, reply.state());
        long since = System.nanoTime();
        future.cancel(true);
        isClosed(since);
    }

    @Test
    void aThreadThatBlocksIsInterrupted() throws Exception {
        CompletableFuture<Throwable> end = new CompletableFuture<>();
        Thread thread = new Thread(() -> {
            Throwable failure = assertThrows(LlmException.Cancelled.class, reply::get);
            end.complete(Thread.currentThread().isInterrupted() ? failure : new AssertionError("the flag is lost"));
        });
        thread.setDaemon(true);
        thread.start();
        arrived();
        long since = System.nanoTime();
        thread.interrupt();
        assertInstanceOf(LlmException.Cancelled.class, end.get(5, TimeUnit.SECONDS));
        isClosed(since);
    }

    @Test
    void aStreamIsClosed() throws Exception {
        long since;
        try (Stream<String> stream = reply.stream()) {
            Iterator<String> pieces = stream.iterator();
            assertEquals("Hello", pieces.next());
            since = System.nanoTime();
        }
        isClosed(since);
    }

    @Test
    void anActionThrows() throws Exception {
        assertThrows(ArithmeticException.class, () -> reply.forEachDelta(piece -> {
            throw new ArithmeticException("enough");
        }));
        isClosed(System.nanoTime());
    }

    @Test
    void aSubscriptionIsCancelled() throws Exception {
        CompletableFuture<Flow.Subscription> subscribed = new CompletableFuture<>();
        reply.toPublisher().subscribe(new Flow.Subscriber<>() {
            @Override
            public void onSubscribe(Flow.Subscription subscription) {
                subscription.request(Long.MAX_VALUE);
                subscribed.complete(subscription);
            }

            @Override
            public void onNext(Delta delta) {}

            @Override
            public void onError(Throwable failure) {}

            @Override
            public void onComplete() {}
        });
        arrived();
        long since = System.nanoTime();
        subscribed.get().cancel();
        isClosed(since);
    }

    @Test
    void theReplyIsCancelled() throws Exception {
        CompletableFuture<?> future = reply.toFuture();
        arrived();
        long since = System.nanoTime();
        reply.cancel();
        isClosed(since);
        assertInstanceOf(LlmException.Cancelled.class, assertThrows(ExecutionException.class, future::get).getCause());
    }

    @Test
    void theClientIsClosed() throws Exception {
        CompletableFuture<?> future = reply.toFuture();
        arrived();
        long since = System.nanoTime();
        llm.close();
        isClosed(since);
        Throwable failure = assertThrows(ExecutionException.class, future::get).getCause();
        assertEquals("The client was closed while the call ran.", failure.getMessage());
    }

    @Test
    void afterACancelledCallTheNextOneIsSent() throws Exception {
        CompletableFuture<?> future = reply.toFuture();
        arrived();
        future.cancel(true);
        Reply again = reply.again();
        try (Stream<String> stream = again.stream()) {
            assertEquals("Hello", stream.iterator().next());
        }
        assertEquals(2, server.getRequests().size());
    }
}
