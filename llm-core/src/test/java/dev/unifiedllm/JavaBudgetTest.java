package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.unifiedllm.chat.BudgetPolicy;
import dev.unifiedllm.chat.BudgetStatus;
import dev.unifiedllm.chat.Period;
import dev.unifiedllm.chat.Usd;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Budgets, as a Java user sets and reads them. */
class JavaBudgetTest {
    @Test
    void aBudgetOfADay() {
        List<BudgetStatus> warnings = new ArrayList<>();
        try (Llm llm = Llm.builder()
            .environment(name -> null)
            .budget(Usd.of("5"), Period.DAY, budget -> budget
                .name("demo")
                .tag("lesson")
                .zone(ZoneId.of("Europe/Berlin"))
                .warnAt(0.0000001, warnings::add)
                .warnAt(0.8)
                .unknownPrice(BudgetPolicy.ALLOW)
                .whenUnavailable(BudgetPolicy.ALLOW))
            .budget(Usd.of("1"))
            .budget(Usd.of("0.50"), Period.CALL)
            .build()) {
            llm.chat("demo/echo", c -> c.user("hi").tag("lesson").maxTokens(100)).get();
            List<BudgetStatus> budgets = llm.budgets();
            assertEquals(2, budgets.size());
            BudgetStatus day = budgets.get(0);
            assertEquals("demo", day.name());
            assertEquals(Period.DAY, day.period());
            assertEquals("lesson", day.tag());
            assertEquals(Usd.of("5"), day.limit());
            assertEquals(Usd.ZERO, day.reserved());
            assertEquals(llm.costs().demoTotal(), day.spent());
            assertEquals(day.limit().minus(day.spent()), day.left());
            assertTrue(day.share() > 0);
            assertEquals(BudgetStatus.State.WARN, day.state());
            assertNotNull(day.resetsAt());
            assertNull(budgets.get(1).resetsAt());
            assertEquals(day.spent(), warnings.get(0).spent());
        }
    }

    @Test
    void aRefusalSaysWhy() {
        try (Llm llm = Llm.builder().environment(name -> null).build()) {
            LlmException.BudgetExceeded refused = assertThrows(LlmException.BudgetExceeded.class, () ->
                llm.chat("demo/echo", c -> c.user("hi").maxTokens(1_000_000).budget(Usd.of("0.000001"))).get());
            assertEquals(Period.CALL, refused.budget().period());
            assertTrue(refused.asked().compareTo(refused.budget().limit()) > 0);
        }
    }
}
