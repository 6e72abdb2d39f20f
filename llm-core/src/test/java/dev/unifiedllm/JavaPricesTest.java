package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.Usd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JavaPricesTest {
    @TempDir
    Path folder;

    private Path file(String text) throws IOException {
        return Files.writeString(folder.resolve("prices.json"), text);
    }

    @Test
    void modelsAndPricesAreRegistered() throws IOException {
        Path file = file("{\"box/m\": {\"inputPerMillion\": 1, \"outputPerMillion\": 2}}");
        try (Llm llm = Llm.builder()
            .environment(name -> null)
            .prices(file)
            .price("box/n", p -> p.inputPerMillion("3").outputPerMillion("4"))
            .model("fast", m -> m.provider("box").costPer1kInput("0.005").costPer1kOutput(0.006).maxTokens(100).taskType("quick"))
            .provider("box", p -> p.baseUrl("http://localhost:1/v1"))
            .build()) {
            assertEquals(Usd.of("1"), llm.estimate("box/m", "hi").price().inputPerMillion());
            assertEquals(Usd.of("3"), llm.estimate("box/n", "hi").price().inputPerMillion());
            assertEquals(Usd.of("5"), llm.estimate("fast", "hi").price().inputPerMillion());
            assertEquals(100, llm.estimate("fast", "hi").maxOutputTokens());
        }
    }

    @Test
    void pricesAreRefreshedByACall() throws IOException {
        StringBuilder map = new StringBuilder("{");
        for (int i = 0; i < 4000; i++) {
            map.append("\"openai/m").append(i).append("\": {\"inputPerMillion\": 1, \"outputPerMillion\": 2},");
        }
        Path file = file(map.append("\"openai/gpt-4o\": {\"inputPerMillion\": 1, \"outputPerMillion\": 2}}").toString());
        try (Llm llm = Llm.builder().environment(name -> null).build()) {
            PriceRefresh refresh = llm.refreshPrices(file).get();
            assertEquals("prices.json", refresh.source());
            assertEquals(LocalDate.now(), refresh.asOf());
            assertTrue(refresh.modelsAfter() > 4000);
            assertTrue(refresh.modelsBefore() > 3000);
            assertTrue(refresh.unpriced().isEmpty());
            assertEquals(Usd.of("1"), llm.estimate("openai/gpt-4o", "hi").price().inputPerMillion());
            assertThrows(LlmException.Configuration.class, () -> llm.refreshPrices("no-such-file.json").get());
            assertThrows(IllegalArgumentException.class, () -> llm.importPrices(""));
        }
    }
}
