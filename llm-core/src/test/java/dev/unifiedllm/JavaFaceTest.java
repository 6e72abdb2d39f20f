package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.CacheTtl;
import dev.unifiedllm.chat.ChatRequest;
import dev.unifiedllm.chat.ChatResponse;
import dev.unifiedllm.chat.Cost;
import dev.unifiedllm.chat.Delta;
import dev.unifiedllm.chat.Effort;
import dev.unifiedllm.chat.EmbeddingRequest;
import dev.unifiedllm.chat.FinishReason;
import dev.unifiedllm.chat.ImageRequest;
import dev.unifiedllm.chat.Message;
import dev.unifiedllm.chat.ModelId;
import dev.unifiedllm.chat.Part;
import dev.unifiedllm.chat.Request;
import dev.unifiedllm.chat.ResponseFormat;
import dev.unifiedllm.chat.Tool;
import dev.unifiedllm.chat.Usage;
import dev.unifiedllm.chat.Usd;
import dev.unifiedllm.pricing.Price;
import dev.unifiedllm.store.By;
import dev.unifiedllm.store.CostReport;
import dev.unifiedllm.store.CostRow;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Flow;
import java.util.concurrent.SubmissionPublisher;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a Java user writes, compiled and run. */
class JavaFaceTest {
    private static final String ECHO = "demo/echo";
    private Llm llm;

    @BeforeEach
    void open() {
        llm = Llm.builder()
            .retry(r -> r.maxRetries(0))
            .environment(name -> null)
            .intercept(Interceptor.of((request, next) -> next.publisher(quick(request))))
            .build();
    }

    @AfterEach
    void close() {
        llm.close();
    }

    /** The demo models at full speed. */
    private static Request quick(Request request) {
        return request instanceof ChatRequest chat ? chat.with(c -> c.providerOptions(o -> o.put("tokensPerSecond", 0))) : request;
    }

    /** Says what it was asked, in capitals, a word a delta. */
    private static Model shout() {
        return Model.of("my/shout", request -> subscriber -> {
            SubmissionPublisher<Delta> publisher = new SubmissionPublisher<>();
            publisher.subscribe(subscriber);
            List<Message> messages = ((ChatRequest) request).messages();
            publisher.submit(new Delta.Start(null, ModelId.parse("my/shout")));
            for (String word : messages.get(messages.size() - 1).text().toUpperCase().split("(?<= )")) publisher.submit(new Delta.Text(word));
            publisher.submit(new Delta.Finish(FinishReason.STOP, Usage.of(1, 2)));
            publisher.close();
        });
    }

    @Test
    void aClientFromTheEnvironment() {
        try (Llm fresh = Llm.create(); Llm same = Llm.fromEnv()) {
            assertTrue(fresh.costs().isEmpty());
            assertEquals(Usd.ZERO, same.totalCost());
        }
    }

    @Test
    void anAnswer() {
        Reply reply = llm.chat(ECHO, c -> c.system("Be short.").user("hi").temperature(0.2).maxTokens(50).stop("END").reasoning(Effort.NONE));
        assertEquals(Reply.State.NEW, reply.state());
        assertNull(reply.partial());
        ChatResponse answer = reply.get();
        assertEquals("The demo model echoes: hi", answer.text());
        assertEquals(FinishReason.Kind.STOP, answer.finishReason().kind());
        assertEquals(ECHO, answer.model().toString());
        assertEquals("demo", answer.provider());
        assertTrue(answer.usage().inputTokens() > 0);
        assertInstanceOf(Cost.Known.class, answer.cost());
        assertTrue(answer.cost().usd().compareTo(Usd.ZERO) > 0);
        assertTrue(answer.latency().compareTo(answer.timeToFirstToken()) >= 0);
        assertFalse(answer.fallbackUsed());
        assertEquals(1, answer.attempts().size());
        assertTrue(answer.warnings().isEmpty());
        assertEquals(answer.text(), reply.again().get().text());
        assertEquals(answer.text(), llm.chat(ECHO, "hi").get().text());
    }

    @Test
    void piecesAsTheyArrive() {
        List<String> pieces = new ArrayList<>();
        ChatResponse answer = llm.chat(ECHO, c -> c.user("hi")).forEachDelta(pieces::add);
        assertEquals(answer.text(), String.join("", pieces));
        try (Stream<String> stream = llm.chat(ECHO, "hi").stream()) {
            assertEquals(answer.text(), stream.collect(Collectors.joining()));
        }
        try (Stream<String> stream = llm.chat(ECHO, "hi").stream()) {
            assertEquals("The", stream.findFirst().orElseThrow());
        }
    }

    @Test
    void eventsAsTheyArrive() {
        Thread here = Thread.currentThread();
        List<Delta> events = new ArrayList<>();
        ChatResponse answer = llm.chat("demo/error", c -> c.user("hi").fallback(ECHO)).forEachEvent(event -> {
            assertEquals(here, Thread.currentThread());
            events.add(event);
        });
        assertInstanceOf(Delta.Attempt.class, events.get(0));
        assertInstanceOf(Delta.Start.class, events.get(1));
        assertInstanceOf(Delta.Finish.class, events.get(events.size() - 1));
        assertEquals(answer.text(), ChatResponse.of(events).text());
        assertThrows(LlmException.StreamInterrupted.class, () -> llm.chat("demo/cut", "hi").forEachEvent(events::add));
    }

    @Test
    void pricesAreExactHoweverTheyAreGiven() {
        Usage usage = Usage.of(1_000_000, 1_000_000);
        Model counted = Model.of("my/counted", request -> subscriber -> {
            SubmissionPublisher<Delta> publisher = new SubmissionPublisher<>();
            publisher.subscribe(subscriber);
            publisher.submit(new Delta.Start(null, ModelId.parse("my/counted")));
            publisher.submit(new Delta.Text("ok"));
            publisher.submit(new Delta.Finish(FinishReason.STOP, usage));
            publisher.close();
        });
        List<Consumer<Price.Builder>> prices = List.of(
            p -> p.inputPerMillion(0.10).outputPerMillion(1),
            p -> p.inputPerMillion("0.10").outputPerMillion("1"),
            p -> p.inputPerMillion(new BigDecimal("0.10")).outputPerMillion(BigDecimal.ONE),
            p -> p.inputPerMillion(Usd.of("0.10")).outputPerMillion(Usd.of("1")));
        for (Consumer<Price.Builder> price : prices) {
            try (Llm own = Llm.builder().environment(name -> null).price("my/counted", price).build()) {
                assertEquals(Usd.of("1.1"), own.chat(counted, "hi").get().cost().usd());
            }
        }
    }

    @Test
    void futures() throws Exception {
        CompletableFuture<String> text = llm.chat(ECHO, "hi").toFuture().thenApply(ChatResponse::text);
        assertEquals("The demo model echoes: hi", text.get(5, TimeUnit.SECONDS));
        ExecutionException failed = assertThrows(ExecutionException.class, () -> llm.chat("demo/error", "hi").toFuture().get(5, TimeUnit.SECONDS));
        assertInstanceOf(LlmException.Overloaded.class, failed.getCause());
    }

    @Test
    void aSubscriberOfOnesOwn() throws Exception {
        List<Delta> seen = new CopyOnWriteArrayList<>();
        CompletableFuture<Void> done = new CompletableFuture<>();
        llm.chat(ECHO, "hi").toPublisher().subscribe(new Flow.Subscriber<>() {
            private Flow.Subscription subscription;

            @Override
            public void onSubscribe(Flow.Subscription subscription) {
                this.subscription = subscription;
                subscription.request(1);
            }

            @Override
            public void onNext(Delta delta) {
                seen.add(delta);
                subscription.request(1);
            }

            @Override
            public void onError(Throwable failure) {
                done.completeExceptionally(failure);
            }

            @Override
            public void onComplete() {
                done.complete(null);
            }
        });
        done.get(5, TimeUnit.SECONDS);
        assertInstanceOf(Delta.Start.class, seen.get(0));
        assertInstanceOf(Delta.Finish.class, seen.get(seen.size() - 1));
        assertEquals("The", ((Delta.Text) seen.get(1)).text());
    }

    @Test
    void modelsOfOnesOwn() {
        assertEquals("HELLO WORLD", llm.chat(shout(), "hello world").get().text());
        assertEquals("my/shout", shout().getId().toString());
        assertEquals("hello!", llm.chat(Models.simple(prompt -> prompt + "!"), "hello").get().text());
        assertEquals(ECHO, llm.chat(Models.named(ECHO), "hi").get().model().toString());
        ChatResponse second = llm.chat(Models.firstOf("demo/error", ECHO), "hi").get();
        assertTrue(second.fallbackUsed());
        assertEquals("HI", llm.chat(Models.firstOf(Models.named("demo/error"), shout()), "hi").get().text());
        assertEquals("HI", llm.chat("demo/error", c -> c.user("hi").fallback(shout())).get().text());
    }

    @Test
    void interceptorsOfOnesOwn() {
        List<String> asked = new CopyOnWriteArrayList<>();
        Interceptor log = Interceptor.of((request, next) -> {
            asked.add(next.getId().toString());
            return next.publisher(request);
        });
        try (Llm logging = Llm.builder().environment(name -> null).intercept(log).build()) {
            assertEquals("HI", logging.chat(shout(), "hi").get().text());
        }
        assertEquals(List.of("my/shout"), asked);
        assertEquals("my/shout", Interceptors.with(shout(), log).getId().toString());
    }

    @Test
    void requests() {
        ChatRequest request = ChatRequest.build(ECHO, c -> c
            .messageMaps(List.of(Map.of("role", "system", "content", "s"), Map.of("role", "user", "content", "u")))
            .messages(List.of(Message.assistant("a")))
            .user("look", u -> u.image("https://example.com/cat.png"))
            .tool(Tool.of("weather", "Current weather", "{\"type\":\"object\"}"))
            .timeouts(t -> t.firstByte(Duration.ofSeconds(30)).total(Duration.ofMinutes(2)))
            .task("describe").tag("a", "b").apiKey("key-1"));
        assertEquals(4, request.messages().size());
        assertEquals(Duration.ofSeconds(30), request.context().timeouts().firstByte());
        assertEquals("***", request.context().apiKey().toString());
        ChatRequest changed = request.with(c -> c.temperature(1.0).user("more"));
        assertEquals(5, changed.messages().size());
        assertEquals(1.0, changed.temperature());
        assertNull(request.temperature());
        assertEquals(request.context().timeouts(), changed.context().timeouts());
        assertEquals("describe", changed.context().task());
        assertTrue(llm.chat(request).get().text().startsWith("The demo model"));
        assertThrows(IllegalArgumentException.class, () -> ChatRequest.build(ECHO, c -> c.temperature(3)));
    }

    @Test
    void theBuilder() {
        LlmBuilder builder = Llm.builder()
            .environment(Map.of("MODEL", "fast")::get)
            .alias("fast", ECHO)
            .defaultModel("fast")
            .fallback("demo/storyteller")
            .enableFallback(true)
            .enableCostTracking(true)
            .timeouts(t -> t.connect(Duration.ofSeconds(2)).idle(Duration.ofSeconds(9)).noContent(Duration.ofSeconds(99)))
            .provider("my-vllm", p -> p.baseUrl("http://localhost:8000/v1").apiKey("k-1").allowInsecure(true))
            .provider("my-claude", p -> p.baseUrl("http://localhost:8000").protocol("anthropic-messages"))
            .provider("gpu-box", p -> p.baseUrl("http://gpu-box:8000/v1").free(true))
            .price("my-vllm/llama", p -> p.inputPerMillion(Usd.of("0.10")).outputPerMillion(Usd.of("0.20")).perWebSearch(Usd.of("0.01")));
        try (Llm own = builder.build()) {
            assertEquals(ECHO, own.chat(c -> c.user("hi").providerOptions(o -> o.put("tokensPerSecond", 0))).get().model().toString());
        }
    }

    @Test
    void aWireThatIsNone() {
        IllegalArgumentException wrong = assertThrows(IllegalArgumentException.class, () -> Llm.builder().provider("x", p -> p.protocol("soap")));
        assertTrue(wrong.getMessage().contains("anthropic-messages") && wrong.getMessage().contains("soap"));
    }

    @Test
    void errors() {
        LlmException.Configuration missing = assertThrows(LlmException.Configuration.class, () -> llm.chat("openai/gpt-4o", "hi").get());
        assertTrue(missing.getMessage().contains("OPENAI_API_KEY"));
        assertNull(missing.status());
        assertFalse(missing.isRetryable());
        assertEquals("openai", missing.provider());
        try {
            llm.chat("demo/error", "hi").get();
            throw new AssertionError("it always fails");
        } catch (LlmException.Overloaded busy) {
            assertEquals(503, busy.status());
            assertTrue(busy.isRetryable());
            assertEquals(1, busy.attempts().size());
        }
        LlmException.StreamInterrupted cut = assertThrows(LlmException.StreamInterrupted.class, () -> llm.chat("demo/cut", "hi").get());
        assertTrue(cut.partial().text().startsWith("This is the demo model"));
        LlmException.RateLimited limited = new LlmException.RateLimited("slow down");
        assertNull(limited.retryAfter());
        LlmException own = assertThrows(LlmException.RateLimited.class, () -> llm.chat(Models.simple(p -> { throw limited; }), "hi").get());
        assertEquals(limited, own);
    }

    @Test
    void costs() {
        llm.chat(ECHO, "hi").get();
        llm.chat(shout(), "hi").get();
        CostReport report = llm.costs(By.MODEL);
        assertEquals(List.of("my/shout", ECHO), report.stream().map(CostRow::name).toList());
        CostRow demo = report.get(1);
        assertTrue(demo.isDemo());
        assertEquals(1, demo.calls());
        assertEquals(Usd.ZERO, report.total());
        assertEquals(1, report.unknownCosts());
        assertEquals(2, llm.costs(By.DAY, 7).size());
        assertEquals(Usd.ZERO, llm.totalCost());
    }

    @Test
    void aConversation() {
        Conversation talk = llm.conversation(shout(), c -> c.system("Be loud."));
        assertEquals("ONE", talk.ask("one").get().text());
        assertEquals("TWO", talk.ask(c -> c.user("two").maxTokens(5)).get().text());
        assertEquals(5, talk.messages().size());
        assertEquals(5, talk.fork().messages().size());
        assertEquals(Usd.ZERO, talk.cost());
        assertEquals("ONE", llm.conversation(shout()).ask("one").get().text());
        assertEquals(0, llm.conversation(ECHO).messages().size());
    }

    @Test
    void partsOfMessages() {
        Part.ToolCall call = new Part.ToolCall("call_1", "weather", "{}");
        Part.ToolResult result = new Part.ToolResult(call.id(), call.name(), "21 degrees");
        assertNull(call.signature());
        assertFalse(result.isError());
        assertEquals(CacheTtl.FIVE_MINUTES, new Part.CacheBreakpoint().ttl());
        assertNull(new Part.File("https://example.com/a.pdf", "application/pdf").name());
        assertInstanceOf(ResponseFormat.JsonSchema.class, ResponseFormat.jsonSchema("answer", "{\"type\":\"object\"}"));
    }

    @Test
    void cancelling() {
        Reply reply = llm.chat(Model.of("my/silent", request -> subscriber -> new SubmissionPublisher<Delta>().subscribe(subscriber)), "hi");
        CompletableFuture<ChatResponse> future = reply.toFuture();
        assertEquals(Reply.State.RUNNING, reply.state());
        reply.cancel();
        ExecutionException cancelled = assertThrows(ExecutionException.class, () -> future.get(5, TimeUnit.SECONDS));
        assertInstanceOf(LlmException.Cancelled.class, cancelled.getCause());
        assertEquals(Reply.State.CANCELLED, reply.state());
        assertNotNull(reply.toString());
    }

    @Test
    void anInterceptorAtALevel() {
        List<String> attempts = new CopyOnWriteArrayList<>();
        Interceptor counting = Interceptor.of((request, next) -> {
            attempts.add(next.getId().toString());
            return next.publisher(quick(request));
        });
        try (Llm own = Llm.builder().environment(name -> null).retry(r -> r.maxRetries(0)).intercept(counting, Level.ATTEMPT).build()) {
            own.chat("demo/error", c -> c.user("hi").fallback(ECHO)).get();
        }
        assertEquals(List.of("demo/error", ECHO), attempts);
    }

    @Test
    void requestsOfEveryKindAreBuiltAndChanged() {
        ImageRequest image = ImageRequest.build("openai/dall-e-3", i -> i.prompt("A train").size("1024x1024").n(2).task("draw"));
        assertEquals("A boat", image.with(i -> i.prompt("A boat")).prompt());
        assertEquals("draw", image.with(i -> i.prompt("A boat")).context().task());
        EmbeddingRequest embedding = EmbeddingRequest.build("openai/text-embedding-3-small", e -> e.input("a", "b").dimensions(8).tag("x"));
        assertEquals(List.of("a", "b", "c"), embedding.with(e -> e.input("c")).inputs());
        ChatRequest chat = ChatRequest.build(ECHO, c -> c.user("hi"));
        ChatRequest labelled = chat.withContext(chat.context().with(context -> context.task("greet").strict(true)));
        assertEquals("greet", labelled.context().task());
        assertEquals(chat, labelled);
    }

    @Test
    void toolsAndTheirResults() {
        ChatRequest request = ChatRequest.build(ECHO, c -> c
            .user("Weather in Paris?")
            .tool("weather", "Current weather", "{\"type\":\"object\"}")
            .toolResult("call_1", "weather", "21 degrees"));
        assertEquals("weather", request.tools().get(0).name());
        Part.ToolResult result = assertInstanceOf(Part.ToolResult.class, request.messages().get(1).parts().get(0));
        assertEquals("21 degrees", result.text());
    }

    @Test
    void theResponseOfDeltas() {
        List<Delta> stored = List.of(
            new Delta.Start("r", ModelId.parse(ECHO)), new Delta.Text("a"), new Delta.Text("b"), new Delta.Finish(FinishReason.STOP, Usage.of(1, 2)));
        ChatResponse response = ChatResponse.of(stored);
        assertEquals("ab", response.text());
        assertEquals(1, response.messages().size());
        assertNull(response.requestId());
        assertNull(response.rateLimits());
        assertNull(response.raw());
        assertTrue(stored.get(1).isContent());
    }

    @Test
    void theDefaultClientIsConfigured() {
        Llm before = Llm.getDefault();
        try {
            Llm configured = Llm.configure(b -> b.environment(name -> null).alias("mine", ECHO).intercept(Interceptor.of((r, next) -> next.publisher(quick(r)))));
            assertEquals(configured, Llm.getDefault());
            configured.chat("mine", "hi").get();
            assertEquals(1, configured.costs(7).get(0).calls());
            assertNotNull(configured.costs(By.DAY, 7).get(0).cost());
        } finally {
            Llm.setDefault(before);
        }
    }

    @Test
    void aFunctionIsFreeAndATimeLimitIsItsOwn() {
        ChatResponse answer = llm.chat(Models.simple(prompt -> prompt + "!"), c -> c.user("hi").timeouts(t -> t.total(Duration.ofSeconds(9)))).get();
        assertEquals(Cost.Free.INSTANCE, answer.cost());
        assertEquals(Duration.ofSeconds(9), ChatRequest.build(ECHO, c -> c.timeouts(t -> t.total(Duration.ofSeconds(9)))).context().timeouts().total());
    }
}
