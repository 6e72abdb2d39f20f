package dev.unifiedllm;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.ChatRequest;
import dev.unifiedllm.chat.Cost;
import dev.unifiedllm.chat.EmbeddingRequest;
import dev.unifiedllm.chat.ImageRequest;
import dev.unifiedllm.chat.ModelId;
import dev.unifiedllm.chat.ResponseFormat;
import dev.unifiedllm.chat.Tool;
import dev.unifiedllm.chat.Usd;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What a Java user reads when something is wrong. */
class JavaMistakesTest {
    private static final ModelId MODEL = ModelId.parse("test/a");

    private static void refused(String said, Executable mistake) {
        String message = assertThrows(IllegalArgumentException.class, mistake).getMessage();
        assertTrue(message.contains(said), message);
    }

    /** The lines of this class that a stack trace shows, of what is suppressed as well. */
    private static long linesOfOurs(Throwable failure) {
        return Stream.concat(Stream.of(failure), Arrays.stream(failure.getSuppressed()))
            .flatMap(each -> Arrays.stream(each.getStackTrace()))
            .filter(line -> line.getClassName().equals(JavaMistakesTest.class.getName()) && line.getMethodName().startsWith("lambda$ask"))
            .count();
    }

    private static void askIn(Consumer<Reply> terminal) {
        try (Llm llm = Llm.builder().environment(name -> null).build()) {
            Reply reply = llm.chat("demo/error", "hi");
            for (int i = 0; i < 2; i++) {
                LlmException.Overloaded failure = assertThrows(LlmException.Overloaded.class, () -> terminal.accept(reply));
                assertTrue(linesOfOurs(failure) > 0);
                assertEquals(1, failure.getSuppressed().length);
                assertTrue(failure.getSuppressed()[0].toString().contains("demo/error was called here"));
            }
        }
    }

    @Test
    void aFailureTellsWhichLineAsked() {
        askIn(Reply::get);
        askIn(reply -> reply.forEachDelta(piece -> { }));
        askIn(reply -> reply.stream().toList());
    }

    @Test
    void schemas() {
        refused("the schema of the tool weather must be a JSON object, as in {\"type\":\"object\"}, was [1]", () -> Tool.of("weather", null, "[1]"));
        refused("the schema of the tool weather must be a JSON object", () -> Tool.of("weather", null, "nope"));
        refused("the schema of the tool weather must be a JSON object: ", () -> Tool.of("weather", null, "{\"type\""));
        refused("the schema answer must be a JSON object", () -> ResponseFormat.jsonSchema("answer", "1"));
    }

    @Test
    void images() {
        ChatRequest.build("test/a", c -> c.user("look", user -> {
            UncheckedIOException unread = assertThrows(UncheckedIOException.class, () -> user.image(Path.of("no-such.png")));
            assertEquals("The image no-such.png cannot be read (NoSuchFileException).", unread.getMessage());
            refused("pom.xml: this is not an image of a known type, but text/xml. If it is one, name its type", () -> user.image(Path.of("pom.xml")));
            refused("the bytes: this is not an image of a known type, but application/pdf.", () -> user.image("%PDF-1.7".getBytes(UTF_8)));
            refused("the bytes: this is not a sound of a known type", () -> user.audio(new byte[1]));
            refused("the content of the document does not tell its type", () -> user.file(new byte[1]));
            refused("the URL of a document does not tell its type", () -> user.file("https://example.com/latest"));
            refused("the type of an image is as in image/png, not \"png\"", () -> user.image(new byte[1], "png"));
        }));
    }

    @Test
    void requestsForNothing() {
        refused("an embedding needs at least one text", () -> EmbeddingRequest.build(MODEL, e -> { }));
        refused("dimensions must be positive, was 0", () -> EmbeddingRequest.build(MODEL, e -> e.input("a").dimensions(0)));
        refused("an image needs a prompt, this one is blank", () -> ImageRequest.build(MODEL, i -> i.prompt(" ")));
        refused("an image needs a prompt", () -> ImageRequest.build(MODEL, i -> i.size("1024x1024")));
        refused("n must be positive, was 0", () -> ImageRequest.build(MODEL, i -> i.prompt("a train").n(0)));
        refused("format must be png or jpeg or webp, was gif", () -> ImageRequest.build(MODEL, i -> i.prompt("a train").format("gif")));
        refused("partialImages must not be negative, was -1", () -> ImageRequest.build(MODEL, i -> i.prompt("a train").partialImages(-1)));
        refused("a mask needs the image that it belongs to", () -> ImageRequest.build(MODEL, i -> i.prompt("a train").mask("data:image/png;base64,AA==")));
        refused("the bytes: this is not an image of a known type", () -> ImageRequest.build(MODEL, i -> i.prompt("a train").image(new byte[1])));
        refused("an image is named by an http(s) or data:image URL", () -> ImageRequest.build(MODEL, i -> i.prompt("a train").image("cat.png")));
    }

    @Test
    void aCostReadsAsOne() {
        assertEquals("$0.0042 (litellm 1.2, 2026-11-21)", new Cost.Known(Usd.of("0.0042"), "litellm 1.2", LocalDate.of(2026, 11, 21)).toString());
        assertEquals("$0.0042 (user, estimated)", new Cost.Known(Usd.of("0.0042"), "user", null, true).toString());
    }
}
