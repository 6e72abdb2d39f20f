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

/** Two processes, each with a job on two threads, keep one limit over one Redis: the server counts. It needs redis-server. */
class SharedLimitsTest {
    private static Process job(String url, String redis, Path output) throws IOException {
        List<String> command = new ArrayList<>(List.of(new File(System.getProperty("java.home"), "bin/java").getPath(), "-Xmx512m"));
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream().filter(option -> option.startsWith("--add-")).forEach(command::add);
        String classes = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        command.addAll(List.of("-cp", classes, SharedLimitsJob.class.getName(), url, redis));
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
        assumeTrue(RedisServer.isInstalled(), "redis-server is not installed");
        try (RedisServer redis = new RedisServer(); ChatServer server = new ChatServer()) {
            Path firstOutput = folder.resolve("first");
            Path secondOutput = folder.resolve("second");
            Process first = job(server.url(), redis.url(), firstOutput);
            Process second = job(server.url(), redis.url(), secondOutput);
            int answered = answered(first, firstOutput) + answered(second, secondOutput);
            assertEquals(SharedLimitsJob.PER_MINUTE, server.requests.get());
            // each of them has an item that the server refuses, and may come to its limit before
            assertEquals(SharedLimitsJob.PER_MINUTE - server.refused.get(), answered);
        }
    }
}
