package dev.unifiedllm

import dev.unifiedllm.store.By
import dev.unifiedllm.store.CostReport
import dev.unifiedllm.store.MemoryLedger
import dev.unifiedllm.store.UsageReport
import java.util.concurrent.atomic.AtomicReference

private val session = AtomicReference<MemoryLedger?>()

/** The ledger of all clients of this process since [Llm.startSession]; null before. */
internal val sessionLedger: MemoryLedger? get() = session.get()

internal fun startLedger(runningCell: () -> Int?) {
    session.compareAndSet(null, MemoryLedger(runningCell = runningCell))
}

/** The costs of all clients since [Llm.startSession], or else of [Llm.default]. @param days null for all */
@InternalLlmApi
@JvmSynthetic
public fun sessionCosts(by: By, days: Int?): CostReport =
    sessionLedger?.report(by, days, SESSION) ?: Llm.default.client.ledger.report(by, days, DEFAULT_CLIENT)

/** The tokens of the calls of [sessionCosts]. @param days null for all */
@InternalLlmApi
@JvmSynthetic
public fun sessionUsage(days: Int?): UsageReport = sessionLedger?.usage(days, SESSION) ?: Llm.default.client.ledger.usage(days, DEFAULT_CLIENT)

private const val SESSION = "this session"
private const val DEFAULT_CLIENT = "the default client"
internal const val THIS_CLIENT: String = "this client"
