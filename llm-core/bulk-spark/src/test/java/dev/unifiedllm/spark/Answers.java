package dev.unifiedllm.spark;

import dev.unifiedllm.BulkResult;
import dev.unifiedllm.Llm;
import dev.unifiedllm.LlmBuilder;
import dev.unifiedllm.chat.ChatResponse;
import dev.unifiedllm.chat.Usd;
import java.util.Iterator;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.FlatMapFunction;

/**
 * The calls of one partition: one client, whose connections all of them share, and four calls at a time. An item is taken when its call is made, and an answer
 * is handed on as soon as it is there, so that a partition of any length takes little memory.
 *
 * A client is made where it is used: it has connections, and is not serializable.
 */
final class Answers implements FlatMapFunction<Iterator<String>, Answer> {
    private final String url;

    Answers(String url) {
        this.url = url;
    }

    static LlmBuilder client(String url) {
        return Llm.builder()
            .environment(name -> null)
            .provider("mine", p -> p.baseUrl(url))
            .price("mine/m", p -> p.inputPerMillion(Usd.of("0.15")).outputPerMillion(Usd.of("0.60")));
    }

    @Override
    public Iterator<Answer> call(Iterator<String> items) {
        Llm llm = client(url).build();
        Stream<String> source = StreamSupport.stream(Spliterators.spliteratorUnknownSize(items, Spliterator.ORDERED), false);
        Stream<BulkResult<String, ChatResponse>> results =
            llm.map(source, options -> options.concurrency(4), item -> llm.chat("mine/m", item)).stream();
        // also when the task is killed, or when its iterator is not read to the end
        TaskContext.get().addTaskCompletionListener(context -> {
            results.close();
            llm.close();
        });
        return results.map(Answer::of).iterator();
    }
}
