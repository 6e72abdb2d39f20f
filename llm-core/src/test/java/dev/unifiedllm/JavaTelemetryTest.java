package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.telemetry.GenAiTelemetry;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.context.Scope;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.testing.exporter.InMemorySpanExporter;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.data.SpanData;
import io.opentelemetry.sdk.trace.export.SimpleSpanProcessor;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** Telemetry as a Java user sets it. */
class JavaTelemetryTest {
    private final InMemorySpanExporter exporter = InMemorySpanExporter.create();
    private final OpenTelemetrySdk sdk = OpenTelemetrySdk.builder()
        .setTracerProvider(SdkTracerProvider.builder().addSpanProcessor(SimpleSpanProcessor.create(exporter)).build())
        .build();

    private SpanData span(String name) {
        List<SpanData> found = exporter.getFinishedSpanItems().stream().filter(span -> span.getName().equals(name)).toList();
        assertEquals(1, found.size(), name);
        return found.get(0);
    }

    @Test
    void aCallIsBelowTheSpanOfItsCaller() {
        try (Llm llm = Llm.builder().environment(name -> null).telemetry(GenAiTelemetry.of(sdk)).build()) {
            AtomicReference<String> inFunction = new AtomicReference<>();
            Model model = Models.simple(prompt -> {
                inFunction.set(Span.current().getSpanContext().getSpanId());
                return prompt.toUpperCase();
            });
            Span job = sdk.getTracer("test").spanBuilder("job").startSpan();
            Scope scope = job.makeCurrent();
            try {
                assertEquals("HI", llm.chat(model, "hi").get().text());
            } finally {
                scope.close();
                job.end();
            }
            SpanData chat = span("chat function");
            assertEquals(job.getSpanContext().getSpanId(), chat.getParentSpanId());
            assertEquals(span("attempt function").getSpanId(), inFunction.get());
            assertEquals("chat", chat.getAttributes().get(AttributeKey.stringKey("gen_ai.operation.name")));
            assertNull(chat.getAttributes().get(AttributeKey.stringKey("gen_ai.input.messages")));
        }
    }

    @Test
    void contentsByASwitch() {
        GenAiTelemetry telemetry = GenAiTelemetry.of(sdk, t -> t.captureContent(true));
        try (Llm llm = Llm.builder().environment(name -> null).telemetry(telemetry).build()) {
            llm.chat("demo/echo", c -> c.user("hello").providerOptions(o -> o.put("tokensPerSecond", 0))).get();
            String input = span("chat echo").getAttributes().get(AttributeKey.stringKey("gen_ai.input.messages"));
            assertNotNull(input);
            assertTrue(input.contains("hello"), input);
        }
    }
}
