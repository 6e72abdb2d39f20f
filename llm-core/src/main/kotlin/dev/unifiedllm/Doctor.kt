package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ModelId
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.withTimeoutOrNull
import kotlin.time.Duration.Companion.seconds

/** How a check ended. */
public enum class CheckStatus { OK, WARNING, FAILED, SKIPPED }

/**
 * One check of [Llm.doctor].
 *
 * @property subject what was checked: a provider, or a part of the set-up
 * @property finding what was found, with what to do if something is wrong
 */
public class DoctorCheck internal constructor(
    @get:JvmName("subject") public val subject: String,
    @get:JvmName("status") public val status: CheckStatus,
    @get:JvmName("finding") public val finding: String,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    override fun toString(): String = "${status.name.lowercase()} · $subject: $finding"
}

/** The checks of [Llm.doctor]: a list. It has the names of variables, and no key. */
public class DoctorReport internal constructor(
    private val checks: List<DoctorCheck>,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) : List<DoctorCheck> by checks {
    /** True if no check failed. */
    @get:JvmName("isHealthy")
    public val isHealthy: Boolean get() = checks.none { it.status == CheckStatus.FAILED }

    override fun toString(): String = checks.joinToString("\n")
}

/** The checks by the client that [client] gives when the call is sent. */
internal fun doctor(client: () -> Client): Call<DoctorReport> = QueryCall(client, ChatRequest.build(ModelId("", "doctor")) { }) { it.examine() }

private fun check(subject: String, status: CheckStatus, finding: String) = DoctorCheck(subject, status, finding, FromKotlin.CALL)

private suspend fun ProviderQueries.examine(): DoctorReport {
    val all = providers()
    val withKey = all.filter { it.isReady && (it.key == KeySource.CODE || it.key == KeySource.VARIABLE) }
    val local = all.filter { it.isReady && it.isLocal && it.key == KeySource.NOT_NEEDED }
    val (called, servers) = coroutineScope {
        val providers = withKey.map { async { lists(it) } }
        val servers = local.map { async { lists(it) } }
        providers.awaitAll() to servers.awaitAll()
    }
    val (running, others) = servers.partition { it.status == CheckStatus.OK }
    val wrong = all.filter { !it.isReady && (it.key == KeySource.CODE || it.key == KeySource.VARIABLE) }
        .map { check(it.id, CheckStatus.WARNING, "the key is found, but a request cannot be sent: ${it.problem}") }
    return DoctorReport(listOf(runtime(), defaultModel(), keys(all), tokenCheck()) + called + running + wrong + listOfNotNull(notRunning(others)), FromKotlin.CALL)
}

private fun runtime() = check("Java", CheckStatus.OK, "${System.getProperty("java.version")} (${System.getProperty("java.vendor")})")

private fun ProviderQueries.defaultModel(): DoctorCheck = try {
    names.default().let { id ->
        names.checkProvider(id)
        check("default model", CheckStatus.OK, "$id")
    }
} catch (missing: LlmException.Configuration) {
    check("default model", CheckStatus.WARNING, missing.message.orEmpty())
}

private fun ProviderQueries.keys(all: List<ProviderStatus>): DoctorCheck {
    val found = all.mapNotNull { it.variable }.distinct().sorted()
    val inCode = all.filter { it.key == KeySource.CODE }.map { it.id }
    val empty = all.flatMap { it.variables }.distinct().filter(names.environment::isEmpty)
    val facts = listOfNotNull(
        "in variables: ${found.joinToString()}".takeIf { found.isNotEmpty() },
        "in code: ${inCode.joinToString()}".takeIf { inCode.isNotEmpty() },
        "set, but empty: ${empty.joinToString()}".takeIf { empty.isNotEmpty() },
    )
    val isNone = found.isEmpty() && inCode.isEmpty()
    val none = "no key was found: demo models and servers on this machine need none. providers() lists the variable of each provider".takeIf { isNone }
    return check("keys", if (isNone || empty.isNotEmpty()) CheckStatus.WARNING else CheckStatus.OK, (listOfNotNull(none) + facts).joinToString("; "))
}

private fun tokenCheck(): DoctorCheck {
    val source = TokenEstimate.forModel("gpt-4o").source
    return check("token estimates", CheckStatus.OK, "by $source")
}

/** Asks for the models of [provider]: that needs its key and connection, and costs nothing. */
private suspend fun ProviderQueries.lists(provider: ProviderStatus): DoctorCheck = try {
    val models = withTimeoutOrNull(PATIENCE) { models(ModelId(provider.id, ProviderQueries.ANY_MODEL)) }
    if (models == null) {
        check(provider.id, CheckStatus.FAILED, "no list of its models within $PATIENCE. Is it reachable from this machine?")
    } else {
        check(provider.id, CheckStatus.OK, "answers; models(\"${provider.id}\") lists ${models.size} ${if (models.size == 1) "model" else "models"}")
    }
} catch (unable: LlmException.InvalidRequest) { // it has no list of models
    check(provider.id, CheckStatus.SKIPPED, withoutModel(unable.message.orEmpty(), provider.id))
} catch (failure: LlmException) {
    check(provider.id, CheckStatus.FAILED, withoutModel(failure.message.orEmpty(), provider.id))
}

private fun notRunning(others: List<DoctorCheck>): DoctorCheck? {
    if (others.isEmpty()) return null
    return check("servers on this machine", CheckStatus.SKIPPED, "not running at their usual addresses: ${others.joinToString { it.subject }}")
}

private val PATIENCE = 10.seconds

/** The checks by the client that is the default when the call is sent. */
@InternalLlmApi
@JvmSynthetic
public fun defaultDoctor(): Call<DoctorReport> = doctor { Llm.default.client }
