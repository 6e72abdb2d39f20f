package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.ChatRequest;
import dev.unifiedllm.chat.Usd;
import dev.unifiedllm.store.By;
import dev.unifiedllm.store.CostReport;
import dev.unifiedllm.store.Spend;
import dev.unifiedllm.store.Timeline;
import dev.unifiedllm.store.UnpricedCalls;
import dev.unifiedllm.store.UsageReport;
import dev.unifiedllm.store.UsageRow;
import dev.unifiedllm.transport.LoopbackServer;
import java.time.Duration;
import java.util.List;
import kotlin.Unit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Costs, estimates and the set-up, as a Java user reads them. */
class JavaMoneyTest {
    private static final String MODELS = "{\"data\":[{\"id\":\"m1\"}]}";
    private Llm llm;

    @BeforeEach
    void open() {
        llm = Llm.builder()
            .environment(name -> name.equals("GROQ_API_KEY") ? "gsk_x" : null)
            .price("openai/gpt-4o", p -> p.inputPerMillion(10.0).outputPerMillion(20.0))
            .build();
    }

    @AfterEach
    void close() {
        llm.close();
    }

    @Test
    void anEstimateBeforeSending() {
        CostEstimate estimate = llm.estimate("openai/gpt-4o", r -> r.user("How long is this?").maxTokens(100));
        assertEquals("openai/gpt-4o", estimate.model().toString());
        assertTrue(estimate.inputTokens().count() > 0);
        assertEquals(100L, estimate.maxOutputTokens());
        assertEquals(Usd.of("0.002"), estimate.highest().minus(estimate.lowest()));
        assertTrue(estimate.costText().startsWith("~$"), estimate.costText());
        assertFalse(estimate.isFree());
        assertNull(estimate.whyUnknown());
        assertEquals(estimate.lowest(), llm.estimate(ChatRequest.build("openai/gpt-4o", r -> r.user("How long is this?"))).lowest());
        assertNotNull(llm.estimate("openai/unknown", "hi").whyUnknown());
    }

    @Test
    void reports() {
        llm.chat("demo/echo", c -> c.user("hi").providerOptions(o -> o.put("tokensPerSecond", 0))).get();
        CostReport report = llm.costs(By.DAY, 7);
        assertEquals("Costs of the last 7 days of this client, by day", report.title());
        assertEquals(7, report.days());
        assertTrue(report.toCsv().startsWith("day,calls,"));
        assertTrue(report.toJson().contains("\"is_demo\":true"));
        assertEquals(List.<UnpricedCalls>of(), report.unpriced());
        Timeline timeline = report.timeline();
        assertEquals(Duration.ofDays(1), timeline.step());
        Spend spend = timeline.models().get(0);
        assertEquals("demo/echo", spend.model());
        assertEquals(report.demoTotal(), spend.total());
        assertEquals(timeline.starts().size(), spend.costs().size());
        UsageReport usage = llm.usage();
        UsageRow row = usage.get(0);
        assertEquals(report.get(0).inputTokens(), row.inputTokens());
        assertTrue(row.isDemo());
        assertEquals(0, usage.total().calls());
        assertEquals(row.inputTokens(), usage.demoTotal().inputTokens());
    }

    @Test
    void estimatesOfModelsAndOfTheDefaultModel() {
        Model model = Models.named("openai/gpt-4o");
        assertEquals(llm.estimate("openai/gpt-4o", "hi").lowest(), llm.estimate(model, "hi").lowest());
        assertEquals(llm.estimate(model, "hi").lowest(), llm.estimate(model, r -> r.user("hi")).lowest());
        assertThrows(LlmException.Configuration.class, () -> llm.estimate(r -> r.user("hi")));
        try (Llm other = Llm.builder().environment(name -> null).defaultModel("demo/echo").build()) {
            assertEquals("demo/echo", other.estimate(r -> r.user("hi")).model().toString());
        }
    }

    @Test
    void theProviders() {
        ProviderStatus groq = llm.providers().get(0);
        assertEquals("groq", groq.id());
        assertEquals(KeySource.VARIABLE, groq.key());
        assertEquals("GROQ_API_KEY", groq.variable());
        assertEquals(List.of("GROQ_API_KEY"), groq.variables());
        assertTrue(groq.isReady());
        assertNull(groq.problem());
        assertFalse(groq.isLocal());
        ProviderStatus mistral = llm.providers().stream().filter(p -> p.id().equals("mistral")).findFirst().orElseThrow();
        assertEquals(KeySource.MISSING, mistral.key());
        assertTrue(mistral.problem().contains("MISTRAL_API_KEY"), mistral.problem());
    }

    @Test
    void theSetUp() {
        try (LoopbackServer server = new LoopbackServer(null, false, (exchange, request) -> {
            exchange.raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + MODELS.length() + "\r\n\r\n" + MODELS);
            return Unit.INSTANCE;
        });
            Llm own = Llm.builder().environment(name -> null).defaultModel("mine/m1")
                .provider("mine", p -> p.baseUrl(server.getUrl()))
                .provider("down", p -> p.baseUrl("http://127.0.0.1:9"))
                .build()) {
            DoctorReport report = own.doctor().get();
            DoctorCheck mine = check(report, "mine");
            assertEquals(CheckStatus.OK, mine.status());
            assertTrue(mine.finding().contains("lists 1 model"), mine.finding());
            assertEquals(CheckStatus.FAILED, check(report, "down").status());
            assertFalse(report.isHealthy());
            assertEquals(CheckStatus.OK, check(report, "default model").status());
            assertTrue(check(report, "default model").finding().startsWith("mine/m1; mine lists it"));
        }
    }

    private static DoctorCheck check(DoctorReport report, String subject) {
        return report.stream().filter(check -> check.subject().equals(subject)).findFirst().orElseThrow();
    }
}
