package dev.unifiedllm.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two processes, each with a job on two threads, keep one limit and one budget over one Redis: the server counts. It needs redis-server. */
class SharedLimitsTest {
    private static Process job(String url, String redis, int dollars, Path output) throws IOException {
        List<String> command = new ArrayList<>(List.of(new File(System.getProperty("java.home"), "bin/java").getPath(), "-Xmx512m"));
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream().filter(option -> option.startsWith("--add-")).forEach(command::add);
        String classes = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        command.addAll(List.of("-cp", classes, SharedLimitsJob.class.getName(), url, redis, "" + dollars));
        return new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile()).start();
    }

    private static int answered(Process job, Path output) throws IOException, InterruptedException {
        boolean hasEnded = job.waitFor(2, TimeUnit.MINUTES);
        String printed = Files.readString(output);
        if (!hasEnded || job.exitValue() != 0) {
            job.destroyForcibly();
            throw new IllegalStateException(printed);
        }
        return printed.lines().filter(line -> line.startsWith("answered ")).mapToInt(line -> Integer.parseInt(line.substring(9))).findFirst().orElseThrow();
    }

    @Test
    void oneLimitForTwoProcesses(@TempDir Path folder) throws Exception {
        Counts counts = twoJobs(folder, 100_000);
        assertEquals(SharedLimitsJob.PER_MINUTE, counts.requests());
        assertEquals(counts.requests() - counts.refused(), counts.answered());
    }

    @Test
    void oneBudgetForTwoProcesses(@TempDir Path folder) throws Exception {
        Counts counts = twoJobs(folder, 120);
        assertEquals(12, counts.answered());
        assertEquals(counts.requests() - counts.refused(), counts.answered());
    }

    /** What the server got, and refused: each job has an item that it refuses, which costs nothing, and may come to its limit before. */
    private record Counts(int requests, int refused, int answered) {}

    private static Counts twoJobs(Path folder, int dollars) throws Exception {
        // skipped only where nobody counts on it: with CI=true the missing server fails the test
        assumeTrue(RedisServer.isInstalled() || "true".equals(System.getenv("CI")), "redis-server is not installed");
        try (RedisServer redis = new RedisServer(); ChatServer server = new ChatServer()) {
            Path firstOutput = folder.resolve("first");
            Path secondOutput = folder.resolve("second");
            Process first = job(server.url(), redis.url(), dollars, firstOutput);
            Process second = job(server.url(), redis.url(), dollars, secondOutput);
            int answered = answered(first, firstOutput) + answered(second, secondOutput);
            return new Counts(server.requests.get(), server.refused.get(), answered);
        }
    }
}
