package dev.unifiedllm.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.Test;

/** Calls from the partitions of a job that runs in this JVM on two threads. */
class PartitionsTest {
    static SparkConf spark(String name) {
        return new SparkConf().setMaster("local[2]").setAppName(name).set("spark.ui.enabled", "false")
            .set("spark.driver.bindAddress", "127.0.0.1").set("spark.driver.host", "127.0.0.1");
    }

    static List<String> items(int count) {
        return IntStream.range(0, count).mapToObj(n -> "item " + n).toList();
    }

    @Test
    void answersAndCostsOfAllPartitions() throws Exception {
        try (ChatServer server = new ChatServer(); JavaSparkContext spark = new JavaSparkContext(spark("answers"))) {
            JavaRDD<Answer> answers = spark.parallelize(items(80), 4).mapPartitions(new Answers(server.url())).cache();
            List<Answer> all = answers.collect();
            assertEquals(items(80), all.stream().map(Answer::item).toList());
            for (int n = 0; n < 80; n++) {
                assertEquals(n == 13 ? null : "answer " + n, all.get(n).text());
            }
            assertTrue(all.get(13).failure().contains("not this one"), all.get(13)::failure);
            assertNull(all.get(12).failure());
            // 100 input and 10 output tokens each, at 0.15 and 0.60 dollars per million; what was refused is not billed
            BigDecimal total = answers.map(Answer::cost).filter(Objects::nonNull).reduce(BigDecimal::add);
            assertEquals(0, new BigDecimal("0.001659").compareTo(total), total::toString);
            assertEquals(80, server.requests.get());
            assertTrue(server.mostOpen.get() <= 2 * 4, () -> "open at a time: " + server.mostOpen);
            assertTrue(server.mostOpen.get() >= 4, () -> "open at a time: " + server.mostOpen);
        }
    }

    @Test
    void aPartitionThatIsNotReadToItsEndClosesItsClient() throws Exception {
        try (ChatServer server = new ChatServer(); JavaSparkContext spark = new JavaSparkContext(spark("take"))) {
            List<Answer> first = spark.parallelize(items(10_000), 1).mapPartitions(new Answers(server.url())).take(3);
            assertEquals(List.of("answer 0", "answer 1", "answer 2"), first.stream().map(Answer::text).toList());
            assertTrue(server.requests.get() < 100, () -> "requests: " + server.requests);
        }
    }
}
