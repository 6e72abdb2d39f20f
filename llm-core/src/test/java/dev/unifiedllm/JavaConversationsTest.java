package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.ChatRequest;
import dev.unifiedllm.chat.ChatResponse;
import dev.unifiedllm.chat.Delta;
import dev.unifiedllm.chat.FinishReason;
import dev.unifiedllm.chat.ModelId;
import dev.unifiedllm.middleware.ThinkTags;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.SubmissionPublisher;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Conversations, reasoning, tokens and models as a Java user writes them. */
class JavaConversationsTest {
    private Llm llm;

    @BeforeEach
    void open() {
        llm = Llm.builder().environment(name -> null).build();
    }

    @AfterEach
    void close() {
        llm.close();
    }

    @Test
    void aConversationIsSavedAndGoesOn(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("talk.json");
        Conversation talk = llm.conversation("demo/echo", c -> c.system("Be short."));
        talk.ask("Hello").get();
        talk.save(file);
        assertTrue(Files.readString(file).contains("\"version\": 1"));

        Conversation loaded = llm.conversation(file);
        assertEquals(talk.messages(), loaded.messages());
        assertEquals(talk.usage(), loaded.usage());
        assertEquals("demo/echo", loaded.model().toString());
        assertEquals(5, withSettings(file).messages().size());
        assertEquals(talk.messages(), Conversation.fromJson(talk.toJson()).messages());

        String later = talk.toJson().replace("\"version\": 1", "\"version\": 9");
        assertTrue(assertThrows(LlmException.Configuration.class, () -> Conversation.fromJson(later)).getMessage().contains("later release"));
    }

    @Test
    void aConversationIsTrimmedForkedAndContinuedWithAnotherModel() {
        Conversation talk = llm.conversation("demo/echo", c -> c.system("Be short.").user("old ".repeat(200)).assistant("ok"));
        talk.ask("new").get();
        Conversation shorter = talk.fork().trim(50);
        assertEquals(3, shorter.messages().size());
        assertEquals(5, talk.messages().size());
        Model counting = Models.simple(prompt -> "same prompt: " + prompt);
        assertEquals("same prompt: go on", shorter.with(counting).ask("go on").get().text());
        assertEquals("demo/echo", shorter.with("demo/echo").model().toString());
        assertEquals(0, talk.unknownUsages());
    }

    @Test
    void tokensAreCountedBeforeACall() throws Exception {
        TokenCount count = llm.countTokens("demo/echo", c -> c.user("How many tokens are these?")).get();
        assertTrue(count.count() > 5);
        assertTrue(count.isEstimated());
        assertFalse(count.source().isEmpty());
        assertEquals(count, llm.countTokens("demo/echo", "How many tokens are these?").toFuture().get(5, TimeUnit.SECONDS));
        assertEquals(count, llm.countTokens(ChatRequest.build("demo/echo", c -> c.user("How many tokens are these?"))).get());
    }

    @Test
    void theModelsOfAProviderAreListed() {
        List<ModelInfo> models = llm.models("demo").get();
        ModelInfo echo = models.stream().filter(m -> m.id().name().equals("echo")).findFirst().orElseThrow();
        assertTrue(echo.abilities().contains(Ability.TOOLS));
        assertEquals("demo", echo.price().source());
    }

    private Conversation withSettings(Path file) {
        Conversation talk = llm.conversation(file, c -> c.temperature(0.7));
        talk.ask("again").get();
        return talk;
    }

    private static Model thinking(String... pieces) {
        return Model.of("my/thinker", request -> subscriber -> {
            SubmissionPublisher<Delta> publisher = new SubmissionPublisher<>();
            publisher.subscribe(subscriber);
            publisher.submit(new Delta.Start(null, ModelId.parse("my/thinker")));
            for (String piece : pieces) publisher.submit(new Delta.Text(piece));
            publisher.submit(new Delta.Finish(FinishReason.STOP, null));
            publisher.close();
        });
    }

    @Test
    void thinkTagsBecomeReasoning() {
        try (Llm reader = Llm.builder().environment(name -> null).thinkTags(true).build()) {
            ChatResponse response = reader.chat(thinking("<thi", "nk>because</think>", "42"), "Why?").get();
            assertEquals("because", response.reasoning());
            assertEquals("42", response.text());
        }
        try (Llm inside = Llm.builder().environment(name -> null).intercept(new ThinkTags(true)).build()) {
            assertEquals("42", inside.chat(thinking("because</thi", "nk>42"), "Why?").get().text());
        }
    }
}
