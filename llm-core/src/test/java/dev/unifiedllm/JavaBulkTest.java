package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.ChatResponse;
import dev.unifiedllm.chat.EmbeddingResponse;
import dev.unifiedllm.chat.Usd;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A bulk as a Java user makes it. */
class JavaBulkTest {
    private final Llm llm = Llm.builder().environment(name -> null).retry(r -> r.maxRetries(0)).build();
    private final Model shout = Models.simple(String::toUpperCase);

    record City(String name) {}

    @Test
    void aListOfResults() throws Exception {
        Bulk<String, ChatResponse> bulk = llm.map(List.of("a", "b", "c"), item -> llm.chat(shout, item));
        List<BulkResult<String, ChatResponse>> results = bulk.get();
        assertEquals(List.of("A", "B", "C"), results.stream().map(result -> result.value().text()).toList());
        assertEquals(1, results.get(1).index());
        assertEquals("b", results.get(1).item());
        assertEquals(BulkResult.State.DONE, results.get(1).state());
        assertNull(results.get(1).failure());
        assertNotNull(results.get(1).cost());
        assertEquals(3, bulk.progress().done());
        assertEquals(3L, bulk.progress().total());
        assertEquals(Usd.ZERO, bulk.progress().cost());
        assertTrue(bulk.progress().elapsed().toNanos() > 0);
        assertEquals(results, bulk.toFuture().get(5, TimeUnit.SECONDS));
    }

    @Test
    void optionsAndStreams(@TempDir Path folder) {
        Path file = folder.resolve("checkpoint.jsonl");
        List<BulkProgress> told = new CopyOnWriteArrayList<>();
        AtomicInteger asked = new AtomicInteger();
        Model counting = Models.simple(text -> text + asked.incrementAndGet());
        for (int run = 0; run < 2; run++) {
            Stream<Integer> items = IntStream.range(0, 10).boxed();
            Bulk<Integer, ChatResponse> bulk = llm.map(
                items,
                options -> options.concurrency(2).inOrder(true).checkpoint(file).maxCost(Usd.of("1")).onProgress(told::add),
                item -> llm.chat(counting, "item " + item + ": "));
            try (Stream<BulkResult<Integer, ChatResponse>> results = bulk.stream()) {
                assertEquals(List.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), results.map(BulkResult::item).toList());
            }
            assertThrows(IllegalStateException.class, bulk::get);
        }
        assertEquals(10, asked.get());
        assertTrue(Files.exists(file));
        assertEquals(10, told.get(told.size() - 1).resumed());
    }

    @Test
    void aStreamThatIsLeftEndsTheCalls() {
        AtomicInteger taken = new AtomicInteger();
        AtomicInteger closed = new AtomicInteger();
        Stream<Integer> endless = Stream.iterate(0, n -> n + 1).peek(n -> taken.incrementAndGet()).onClose(closed::incrementAndGet);
        Bulk<Integer, ChatResponse> bulk = llm.map(endless, options -> options.concurrency(2), item -> llm.chat(shout, "n" + item));
        try (Stream<BulkResult<Integer, ChatResponse>> results = bulk.stream()) {
            assertEquals("N2", results.skip(2).findFirst().orElseThrow().value().text());
        }
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
        while (closed.get() == 0 && System.nanoTime() < until) {
            Thread.onSpinWait();
        }
        assertEquals(1, closed.get());
        assertTrue(taken.get() < 20, () -> "taken: " + taken);
    }

    @Test
    void aNullIsRefused() {
        List<String> items = Arrays.asList("a", null, "b");
        IllegalArgumentException failure = assertThrows(IllegalArgumentException.class, () -> llm.map(items, item -> llm.chat(shout, item)));
        assertTrue(failure.getMessage().contains("Item 1 of the bulk"), failure::getMessage);
        Bulk<String, ChatResponse> bulk = llm.map(items.stream(), item -> llm.chat(shout, item));
        assertThrows(IllegalArgumentException.class, bulk::get);
        Bulk<String, ChatResponse> other = llm.map(items.stream(), options -> options.concurrency(1), item -> llm.chat(shout, item));
        try (Stream<BulkResult<String, ChatResponse>> results = other.stream()) {
            assertThrows(IllegalArgumentException.class, results::toList);
        }
    }

    @Test
    void theCheckpointOfAStreamThatWasClosedIsFree(@TempDir Path folder) {
        for (int run = 0; run < 20; run++) {
            Path file = folder.resolve("checkpoint" + run + ".jsonl");
            List<Integer> items = IntStream.range(0, 50).boxed().toList();
            Bulk<Integer, ChatResponse> bulk =
                llm.map(items, options -> options.concurrency(4).checkpoint(file), item -> llm.chat(shout, "n" + item));
            try (Stream<BulkResult<Integer, ChatResponse>> results = bulk.stream()) {
                assertEquals(2, results.limit(2).toList().size());
            }
            Bulk<Integer, ChatResponse> again = llm.map(items, options -> options.checkpoint(file), item -> llm.chat(shout, "n" + item));
            assertEquals(50, again.get().size());
            assertTrue(again.progress().resumed() >= 2, () -> again.progress().toString());
        }
    }

    @Test
    void failuresAndTypes() {
        Model json = Models.simple(text -> "{\"name\":\"" + text + "\"}");
        List<BulkResult<String, City>> cities = llm.map(List.of("Rome"), item -> llm.chat(json, item).typed(City.class)).get();
        assertEquals(new City("Rome"), cities.get(0).orThrow());
        List<BulkResult<String, EmbeddingResponse>> vectors = llm.map(List.of("a"), item -> llm.embed("demo/embedder", item)).get();
        assertTrue(vectors.get(0).value().dimensions() > 0);
        Bulk<String, ChatResponse> bulk = llm.map(List.of("a"), item -> llm.chat("demo/error", item));
        assertInstanceOf(LlmException.Overloaded.class, bulk.get().get(0).failure());
        assertThrows(LlmException.Overloaded.class, () -> bulk.get().get(0).orThrow());
        assertEquals(1, bulk.progress().failed());
        bulk.cancel();
    }
}
