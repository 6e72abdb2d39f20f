package dev.unifiedllm.spark;

import dev.unifiedllm.BulkResult;
import dev.unifiedllm.chat.ChatResponse;
import dev.unifiedllm.chat.Cost;
import dev.unifiedllm.chat.Usd;
import java.io.Serializable;
import java.math.BigDecimal;

/**
 * What a job keeps of a call. Responses themselves are not serializable.
 *
 * @param text null if the call failed
 * @param cost US dollars; null if it is not known, or if nothing was sent
 * @param failure null if there is none
 */
record Answer(String item, String text, BigDecimal cost, String failure) implements Serializable {
    static Answer of(BulkResult<String, ChatResponse> result) {
        Cost cost = result.cost();
        Usd known = cost == null ? null : cost.usd();
        return new Answer(
            result.item(),
            result.value() == null ? null : result.value().text(),
            known == null ? null : known.amount(),
            result.failure() == null ? null : result.failure().getMessage());
    }
}
