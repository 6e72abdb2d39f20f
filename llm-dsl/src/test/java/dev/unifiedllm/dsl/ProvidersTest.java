package dev.unifiedllm.dsl;

import static dev.unifiedllm.dsl.Providers.anthropic;
import static dev.unifiedllm.dsl.Providers.bedrock;
import static dev.unifiedllm.dsl.Providers.google;
import static dev.unifiedllm.dsl.Providers.groq;
import static dev.unifiedllm.dsl.Providers.ollama;
import static dev.unifiedllm.dsl.Providers.openai;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.Llm;
import dev.unifiedllm.LlmException;
import dev.unifiedllm.Model;
import java.util.List;
import org.junit.jupiter.api.Test;

class ProvidersTest {
    @Test
    void aNameIsEnough() {
        List<Model> models = List.of(openai("gpt-4o"), anthropic("claude-haiku-4-5"), groq("llama-3.1-8b-instant"), ollama("llama3"), google("gemini-2.5-flash"));
        assertEquals(
            List.of("openai/gpt-4o", "anthropic/claude-haiku-4-5", "groq/llama-3.1-8b-instant", "ollama/llama3", "gemini/gemini-2.5-flash"),
            models.stream().map(model -> model.getId().toString()).toList());
    }

    @Test
    void theKeyOrTheRegionMayFollow() {
        assertEquals("openai/gpt-4o", openai("gpt-4o", "sk-made-up").getId().toString());
        assertEquals("bedrock/amazon.nova-micro-v1:0", bedrock("amazon.nova-micro-v1:0", "us-east-1").getId().toString());
        assertThrows(IllegalArgumentException.class, () -> bedrock("amazon.nova-micro-v1:0", "us east"));
    }

    @Test
    void withoutAKeyTheVariableIsNamed() {
        try (Llm llm = Llm.builder().environment(name -> null).build()) {
            LlmException.Configuration missing = assertThrows(LlmException.Configuration.class, () -> llm.chat(anthropic("claude-haiku-4-5"), "hi").get());
            assertTrue(missing.getMessage().contains("ANTHROPIC_API_KEY"));
        }
    }
}
