package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files of settings, .env, defaults and what a client says about its set-up, from Java. */
class JavaConfigurationTest {
    @TempDir
    Path folder;

    private Path file(String name, String text) throws Exception {
        return Files.writeString(folder.resolve(name), text);
    }

    @Test
    void aFile() throws Exception {
        Path file = file("llm.json", "{\"defaultModel\": \"demo/echo\"}");
        try (Llm llm = Llm.fromConfig(file)) {
            assertEquals("demo/echo", llm.chat(c -> c.user("hi")).get().model().toString());
        }
        Path wrong = file("wrong.json", "{\"defaultModle\": \"demo/echo\"}");
        assertTrue(assertThrows(LlmException.Configuration.class, () -> Llm.fromConfig(wrong)).getMessage().contains("line 1: defaultModle"));
    }

    @Test
    void theBuilder() throws Exception {
        Path env = file(".env", "GROQ_API_KEY=gsk_of-the-file\n");
        LlmBuilder builder = Llm.builder()
            .environment(Map.of("MODEL", "demo/echo")::get)
            .config(file("llm.json", "{\"maxIterations\": 4, \"aliases\": {\"fast\": \"groq/llama-3.1-8b-instant\"}}"))
            .dotEnv(env)
            .dotEnv(true)
            .defaults(d -> d.temperature(0.3).maxTokens(100))
            .ignoreCostErrors(true)
            .provider("box", p -> p.baseUrl("http://localhost:8000/v1").keyVariable("BOX_KEY"))
            .enableCostTracking(null);
        try (Llm llm = builder.build()) {
            List<Setting> settings = llm.doctor().get().settings();
            Setting temperature = settings.stream().filter(s -> s.name().equals("temperature")).findFirst().orElseThrow();
            assertEquals("0.3", temperature.value());
            assertEquals("code", temperature.source());
            EnvironmentReport fast = llm.validateEnvironment("fast");
            assertTrue(fast.isReady());
            assertEquals("groq", fast.provider());
            FoundKey key = fast.keys().get(0);
            assertEquals("GROQ_API_KEY", key.name());
            assertEquals("GROQ_API_KEY in .env, line 1", key.source());
            assertTrue(key.masked().startsWith("gsk_***"));
            EnvironmentReport box = llm.validateEnvironment("box/m");
            assertFalse(box.isReady());
            assertEquals(List.of("BOX_KEY"), box.missing());
            assertEquals("http://localhost:8000/v1", box.baseUrl());
            assertEquals("baseUrl in code", box.baseUrlSource());
            assertTrue(box.problem().contains("BOX_KEY"));
            assertEquals("box/m", box.model());
        }
        assertThrows(IllegalArgumentException.class, () -> Llm.builder().defaults(d -> d.temperature(3)));
        assertThrows(IllegalArgumentException.class, () -> Llm.builder().defaults(d -> d.maxTokens(0)));
    }
}
