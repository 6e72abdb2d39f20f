package dev.unifiedllm.spark;

import dev.unifiedllm.Llm;
import dev.unifiedllm.LlmBuilder;
import dev.unifiedllm.chat.Period;
import dev.unifiedllm.chat.Usd;
import java.time.Duration;
import java.util.List;
import org.apache.spark.api.java.JavaSparkContext;

/** A job of its own process, whose calls share a limit and a budget with those of other processes. Arguments: the URL of the server, that of Redis, the dollars of the budget. */
final class SharedLimitsJob {
    static final int PER_MINUTE = 30;
    static final int ITEMS = 25;

    private SharedLimitsJob() {}

    /** A call that would have to wait for the next minute fails after three seconds. Each response costs ten dollars, which its call reserves. */
    static LlmBuilder client(String url, String redis, int dollars) {
        return Answers.client(url)
            .state(redis)
            .limit("mine", limit -> limit.requestsPerMinute(PER_MINUTE))
            .price("mine/m", p -> p.inputPerMillion(Usd.ZERO).outputPerMillion(Usd.of("1000000")))
            .budget(Usd.of("" + dollars), Period.TOTAL, budget -> budget.name("job"))
            .retry(r -> r.maxRetries(0))
            .timeouts(t -> t.total(Duration.ofSeconds(3)));
    }

    public static void main(String[] args) {
        String url = args[0];
        String redis = args[1];
        int dollars = Integer.parseInt(args[2]);
        try (JavaSparkContext spark = new JavaSparkContext(PartitionsTest.spark("shared"))) {
            List<Boolean> done = spark.parallelize(PartitionsTest.items(ITEMS), 2).mapPartitions(items -> {
                try (Llm llm = client(url, redis, dollars).build()) {
                    Iterable<String> all = () -> items;
                    return llm.map(all, item -> llm.chat("mine/m", c -> c.user(item).maxTokens(10))).get().stream().map(result -> result.failure() == null).iterator();
                }
            }).collect();
            System.out.println("answered " + done.stream().filter(isDone -> isDone).count());
        }
    }
}
