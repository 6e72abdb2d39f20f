package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.ChatRequest;
import dev.unifiedllm.chat.ChatResponse;
import dev.unifiedllm.chat.Delta;
import dev.unifiedllm.chat.FinishReason;
import dev.unifiedllm.chat.ModelId;
import dev.unifiedllm.chat.Part;
import dev.unifiedllm.chat.Role;
import dev.unifiedllm.chat.Tool;
import dev.unifiedllm.chat.ToolChoice;
import dev.unifiedllm.chat.ToolFunction;
import dev.unifiedllm.chat.Usage;
import dev.unifiedllm.schema.Description;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.SubmissionPublisher;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Tools from Java. The models are functions of the test. */
class ToolsTest {
    record City(@Description("As in Paris") String name, Optional<String> country) {}

    record Weather(double celsius, String sky) {}

    private final Llm llm = Llm.create();

    @AfterEach
    void close() {
        llm.close();
    }

    /** A model that calls each of the tools once, and then says what they returned. */
    private static Model calling(Part.ToolCall... calls) {
        ModelId id = ModelId.parse("test/tools");
        return Model.of(id.toString(), request -> subscriber -> {
            List<Delta> deltas = new ArrayList<>(List.of(new Delta.Start("r", id)));
            List<Part.ToolResult> results = results((ChatRequest) request);
            if (results.isEmpty()) {
                IntStream.range(0, calls.length)
                    .forEach(i -> deltas.add(new Delta.ToolCallDelta(i, calls[i].id(), calls[i].name(), calls[i].arguments())));
            } else {
                results.forEach(result -> deltas.add(new Delta.Text(result.text() + "\n")));
            }
            var reason = new FinishReason(results.isEmpty() ? FinishReason.Kind.TOOL_CALLS : FinishReason.Kind.STOP);
            deltas.add(new Delta.Finish(reason, Usage.of(10, 5)));
            try (var publisher = new SubmissionPublisher<Delta>(Runnable::run, 100)) {
                publisher.subscribe(subscriber);
                deltas.forEach(publisher::submit);
            }
        });
    }

    private static List<Part.ToolResult> results(ChatRequest request) {
        return request.messages().stream().flatMap(message -> message.parts().stream())
            .filter(Part.ToolResult.class::isInstance).map(Part.ToolResult.class::cast).toList();
    }

    private static Part.ToolCall paris(String id) {
        return new Part.ToolCall(id, "weather", "{\"name\":\"Paris\",\"country\":null}");
    }

    @Test
    void aToolTakesARecordAndReturnsOne() {
        ChatResponse response = llm.chat(calling(paris("c1")), c -> c
            .user("How is the weather in Paris?")
            .tool("weather", "Current weather in a city", City.class, city -> new Weather(21.5, "clear in " + city.name()))
        ).get();
        assertEquals("{\"celsius\":21.5,\"sky\":\"clear in Paris\"}\n", response.text());
        assertEquals(List.of(Role.ASSISTANT, Role.TOOL, Role.ASSISTANT), response.messages().stream().map(m -> m.role()).toList());
        assertEquals(1, response.steps().size());
        assertEquals(20, response.usage().inputTokens());
    }

    @Test
    void theSchemaOfTheRecordIsWhatTheModelSees() {
        Tool tool = Tool.of("weather", "Current weather in a city", City.class, city -> "sunny");
        assertEquals(
            "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"description\":\"As in Paris\"},\"country\":{\"type\":[\"string\",\"null\"]}},"
                + "\"required\":[\"name\",\"country\"],\"additionalProperties\":false}",
            tool.parameters().toString()
        );
    }

    @Test
    void aToolMayReturnNothingANumberOrAList() {
        assertEquals("null\n", answerOf(city -> null));
        assertEquals("5\n", answerOf(city -> city.name().length()));
        assertEquals("true\n", answerOf(city -> city.country().isEmpty()));
        assertEquals("[\"Paris\",2]\n", answerOf(city -> List.of(city.name(), 2)));
        assertEquals("[{\"celsius\":1.5,\"sky\":\"clear\"}]\n", answerOf(city -> List.of(new Weather(1.5, "clear"))));
        assertEquals("[1,2]\n", answerOf(city -> new int[] {1, 2}));
    }

    private String answerOf(ToolFunction<City> run) {
        return llm.chat(calling(paris("c1")), c -> c.user("How is the weather?").tool("weather", "Current weather", City.class, run)).get().text();
    }

    @Test
    void namesThatProvidersRefuseAreRefusedAtOnce() {
        var failure = assertThrows(IllegalArgumentException.class, () -> Tool.of("get weather", "Current weather", City.class, city -> "sunny"));
        assertTrue(failure.getMessage().contains("Call it \"get_weather\""), failure.getMessage());
        Tool tool = Tool.of("weather", "Current weather", City.class, city -> "sunny");
        var second = assertThrows(IllegalArgumentException.class, () -> ChatRequest.build("demo/echo", c -> c.tool(tool).tool(tool)));
        assertTrue(second.getMessage().contains("two tools called \"weather\""), second.getMessage());
    }

    @Test
    void aToolMayThrowAnything() {
        ChatResponse response = llm.chat(calling(paris("c1")), c -> c
            .user("How is the weather?")
            .tool("weather", "Current weather", City.class, city -> {
                throw new IOException("the weather service is down");
            })
        ).get();
        assertEquals("The tool failed: the weather service is down\n", response.text());
    }

    @Test
    void aToolWithASchemaOfItsOwnGetsTheJson() {
        ChatResponse response = llm.chat(calling(new Part.ToolCall("c1", "echo", "{\"a\":[1,2]}")), c -> c
            .user("Echo")
            .tool("echo", "Says it again", "{\"type\":\"object\"}", json -> "json: " + json)
        ).get();
        assertEquals("json: {\"a\":[1,2]}\n", response.text());
    }

    @Test
    void whatIsNotApprovedIsNotRun() {
        List<String> runs = new ArrayList<>();
        ChatResponse response = llm.chat(calling(paris("a"), paris("b")), c -> c
            .user("How is the weather?")
            .approve(call -> call.id().equals("b"))
            .tool("weather", "Current weather", City.class, city -> runs.add(city.name()))
        ).get();
        assertEquals(List.of("Paris"), runs);
        assertTrue(response.text().startsWith("The user did not approve this call"), response.text());
    }

    @Test
    void theLoopIsBounded() {
        ChatResponse response = llm.chat(calling(paris("a")), c -> c
            .user("How is the weather?")
            .maxIterations(1)
            .tool("weather", "Current weather", City.class, city -> "sunny")
        ).get();
        assertEquals(FinishReason.Kind.MAX_ITERATIONS, response.finishReason().kind());
        assertEquals("a", response.toolCalls().get(0).id());
    }

    @Test
    void aToolHasADeadline() {
        ChatResponse response = llm.chat(calling(paris("a")), c -> c
            .user("How is the weather?")
            .tool(Tool.of("weather", "Current weather", City.class, city -> {
                Thread.sleep(60_000);
                return "late";
            }).withTimeout(Duration.ofMillis(50)))
        ).get();
        assertTrue(response.text().startsWith("The tool did not return within 50ms"), response.text());
    }

    @Test
    void aToolWithoutAFunctionIsRunByTheCaller() {
        Model model = calling(paris("c1"));
        ChatResponse first = llm.chat(model, c -> c
            .user("How is the weather?")
            .toolChoice(ToolChoice.Required.INSTANCE)
            .tool("weather", "Current weather", "{\"type\":\"object\"}")
        ).get();
        Part.ToolCall call = first.toolCalls().get(0);
        ChatResponse second = llm.chat(model, c -> c
            .user("How is the weather?")
            .messages(first.messages())
            .toolResult(call.id(), call.name(), "sunny")
        ).get();
        assertEquals("sunny\n", second.text());
    }
}
