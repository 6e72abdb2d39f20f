package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.ComparedAnswer;
import dev.unifiedllm.chat.ComparisonResult;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** A comparison as a Java user makes it. */
class JavaComparisonTest {
    private static Llm llm() {
        return Llm.builder().environment(name -> null).retry(r -> r.maxRetries(0)).build();
    }

    @Test
    void modelsByTheirNames() throws Exception {
        try (Llm llm = llm()) {
            Comparison comparison = llm.compare(
                List.of("demo/echo", "demo/error", "demo/reasoner"),
                c -> c.user("hello").providerOptions(o -> o.put("tokensPerSecond", 0)));
            assertEquals(Reply.State.NEW, comparison.replies().get(0).state());
            ComparisonResult answers = comparison.get();
            assertEquals("The demo model echoes: hello", answers.get(0).text());
            assertEquals("demo/echo", answers.get(0).model().toString());
            assertNull(answers.get(0).failure());
            assertTrue(answers.get(0).latency().toNanos() > 0);
            assertTrue(answers.get(0).timeToFirstToken().toNanos() > 0);
            assertNotNull(answers.get(0).usage());
            assertNull(answers.get(1).response());
            assertInstanceOf(LlmException.Overloaded.class, answers.get(1).failure());
            assertSame(answers.get(0), answers.cheapest());
            assertNotNull(answers.fastest());
            assertSame(answers, comparison.toFuture().get(10, TimeUnit.SECONDS));
            assertEquals(2, answers.stream().filter(answer -> answer.failure() == null).count());
        }
    }

    @Test
    void modelsAsValues() {
        try (Llm llm = llm()) {
            List<String> texts = llm.compareModels(List.of(Models.simple(String::toUpperCase), Models.named("demo/echo")), c -> c.user("hi"))
                .get().stream().map(ComparedAnswer::text).collect(Collectors.toList());
            assertEquals(List.of("HI", "The demo model echoes: hi"), texts);
        }
    }

    @Test
    void cancelledAsAWhole() {
        try (Llm llm = llm()) {
            Comparison comparison = llm.compare(List.of("demo/echo", "demo/echo"), c -> c.user("hi"));
            comparison.cancel();
            assertThrows(LlmException.Cancelled.class, comparison::get);
            assertEquals(Reply.State.CANCELLED, comparison.replies().get(1).state());
            assertEquals(2, comparison.again().get().size());
        }
    }
}
