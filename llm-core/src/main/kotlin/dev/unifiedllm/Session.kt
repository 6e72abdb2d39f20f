package dev.unifiedllm

import dev.unifiedllm.provider.Environment
import dev.unifiedllm.store.By
import dev.unifiedllm.store.CostReport
import dev.unifiedllm.store.LastingLedger
import dev.unifiedllm.store.MemoryLedger
import dev.unifiedllm.store.UsageReport
import java.time.Instant
import java.time.temporal.ChronoUnit
import java.util.UUID
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
    sessionLedger?.report(by, days, SESSION, lasting(days))?.with { Llm.made?.budgets().orEmpty() } ?: Llm.default.costsOfDefault(by, days)

/** The tokens of the calls of [sessionCosts]. @param days null for all */
@InternalLlmApi
@JvmSynthetic
public fun sessionUsage(days: Int?): UsageReport = sessionLedger?.usage(days, SESSION, lasting(days)) ?: Llm.default.client.ledger.usage(days, DEFAULT_CLIENT)

private fun Llm.costsOfDefault(by: By, days: Int?) = client.ledger.report(by, days, DEFAULT_CLIENT).with(::budgets)

/** A report of all calls makes no client: its rows are in memory. */
private fun lasting(days: Int?): LastingLedger? = (if (days == null) Llm.made else Llm.default)?.client?.ledger?.lasting

/** Where the costs of the calls of [Llm.default] are kept, as in a path; null if they are in memory alone. */
@InternalLlmApi
@JvmSynthetic
public fun ledgerPlace(): String? = Llm.default.client.ledger.lasting?.place

/** Why costs are not written to [ledgerPlace], and what to do; null if they are. */
@InternalLlmApi
@JvmSynthetic
public fun ledgerProblem(): String? = Llm.default.client.ledger.lasting?.problem

/** When this process began to call, and a few letters of its own: a notebook has a session for each start of its kernel. */
internal val SESSION_ID: String = "${Instant.now().truncatedTo(ChronoUnit.SECONDS)} ${UUID.randomUUID().toString().take(ID_LETTERS)}"
private const val ID_LETTERS = 4

/** The name of the notebook's file, as Jupyter tells it to its kernels; null outside of notebooks. */
internal fun notebook(environment: Environment): String? = environment["JPY_SESSION_NAME"]?.substringAfterLast('/')

private const val SESSION = "this session"
private const val DEFAULT_CLIENT = "the default client"
internal const val THIS_CLIENT: String = "this client"
