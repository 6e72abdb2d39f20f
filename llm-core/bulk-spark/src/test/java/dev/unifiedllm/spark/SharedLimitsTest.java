package dev.unifiedllm.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.File;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Two processes, each with a job on two threads, keep one limit over one Redis: the server counts. It needs `-Dredis.url=redis://…`. */
class SharedLimitsTest {
    private static Process job(String url, String redis) throws Exception {
        List<String> command = new ArrayList<>(List.of(new File(System.getProperty("java.home"), "bin/java").getPath(), "-Xmx512m"));
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream().filter(option -> option.startsWith("--add-")).forEach(command::add);
        String classes = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        command.addAll(List.of("-cp", classes, SharedLimitsJob.class.getName(), url, redis));
        return new ProcessBuilder(command).redirectErrorStream(true).start();
    }

    private static int answered(Process job) throws Exception {
        String printed = new String(job.getInputStream().readAllBytes());
        if (!job.waitFor(2, TimeUnit.MINUTES) || job.exitValue() != 0) {
            throw new IllegalStateException(printed);
        }
        return printed.lines().filter(line -> line.startsWith("answered ")).mapToInt(line -> Integer.parseInt(line.substring(9))).findFirst().orElseThrow();
    }

    @Test
    void oneLimitForTwoProcesses() throws Exception {
        String redis = System.getProperty("redis.url", "");
        assumeFalse(redis.isEmpty(), "no redis.url");
        try (ChatServer server = new ChatServer()) {
            Process first = job(server.url(), redis);
            Process second = job(server.url(), redis);
            int answered = answered(first) + answered(second);
            assertEquals(SharedLimitsJob.PER_MINUTE, server.requests.get());
            // each of them has the item that the server refuses
            assertEquals(SharedLimitsJob.PER_MINUTE - 2, answered);
        }
    }
}
