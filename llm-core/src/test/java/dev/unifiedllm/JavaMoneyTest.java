package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
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
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Costs, estimates and the set-up, as a Java user reads them. */
class JavaMoneyTest {
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
        assertEquals(1, usage.total().calls());
    }

    @Test
    void theSetUp() {
        ProviderStatus groq = llm.providers().get(0);
        assertEquals("groq", groq.id());
        assertEquals(KeySource.VARIABLE, groq.key());
        assertEquals("GROQ_API_KEY", groq.variable());
        assertTrue(groq.isReady());
        Call<DoctorReport> doctor = llm.doctor();
        doctor.cancel();
        assertNotNull(doctor);
    }
}
