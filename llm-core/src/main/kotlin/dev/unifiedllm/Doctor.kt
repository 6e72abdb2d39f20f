package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.provider.ProviderRegistry
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

/**
 * The checks of [Llm.doctor]: a list. It has the names of variables, and no key.
 *
 * @property settings the settings of the client, each with its source: code, a file, a variable, or the default
 */
public class DoctorReport internal constructor(
    private val checks: List<DoctorCheck>,
    @get:JvmName("settings") public val settings: List<Setting>,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) : List<DoctorCheck> by checks {
    /** True if no check failed. */
    @get:JvmName("isHealthy")
    public val isHealthy: Boolean get() = checks.none { it.status == CheckStatus.FAILED }

    override fun toString(): String = (checks + "settings:" + settings.map { "  $it" }).joinToString("\n")
}

/** The checks by the client that [client] gives when the call is sent. */
internal fun doctor(client: () -> Client): Call<DoctorReport> = QueryCall(client, ChatRequest.build(ModelId("", "doctor")) { }) { it.examine() }

internal fun check(subject: String, status: CheckStatus, finding: String) = DoctorCheck(subject, status, finding, FromKotlin.CALL)

private suspend fun ProviderQueries.examine(): DoctorReport {
    val all = providers()
    val asked = all.filter { it.isReady && (it.hasKey || (it.key == KeySource.NOT_NEEDED && (it.isLocal || isSetUp(it.id) || isOwn(it.id)))) }
    val answers = coroutineScope { asked.map { async { it.id to lists(it) } }.awaitAll() }
    val used = all.filter { it.isReady }.mapNotNull { it.variable } // by another provider: this one is not meant by it alone
    val wrong = all.filter { !it.isReady && (isSetUp(it.id) || (it.hasKey && it.variable !in used)) }.map {
        val found = if (it.hasKey) "the key is found" else "it is set up"
        check(it.id, CheckStatus.WARNING, "$found, but a request cannot be sent: ${it.problem}")
    }
    val listed = answers.mapNotNull { (id, answer) -> answer?.models?.let { models -> id to models.map { it.id.name } } }.toMap()
    val begin = listOf(library(), runtime()) + files() + listOf(defaultModel(listed), withoutPrefix(), keys(all), tokenCheck()) + money()
    val ends = listOfNotNull(credentials(all), notRunning(answers.filter { it.second == null }.map { it.first }))
    return DoctorReport(begin + answers.mapNotNull { it.second?.check } + wrong + ends, settled.settings, FromKotlin.CALL)
}

/** What a provider answered. @property models null if it did not list them */
private class ListAnswer(val check: DoctorCheck, val models: List<ModelInfo>?)

private val ProviderStatus.hasKey: Boolean get() = key == KeySource.CODE || key == KeySource.VARIABLE

/** True if code has settings for the provider called [id], or a variable has its base URL. */
private fun ProviderQueries.isSetUp(id: String): Boolean = names.settings[id] != null || hasBaseUrl(id)

private fun ProviderQueries.hasBaseUrl(id: String): Boolean =
    names.settings[id]?.baseUrl != null || names.environment.first(names.registry.find(id)?.baseUrlEnv.orEmpty()) != null

/** True if the user has added the provider called [id], or changed its row. */
private fun ProviderQueries.isOwn(id: String): Boolean = names.registry.find(id).let { it == null || it != ProviderRegistry.packed.find(id) }

private fun runtime() = check("Java", CheckStatus.OK, "${System.getProperty("java.version")} (${System.getProperty("java.vendor")})")

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

/** Asks for the models of [provider]: that needs its key and connection, and costs nothing. Null if nothing runs at the usual address of a server. */
private suspend fun ProviderQueries.lists(provider: ProviderStatus): ListAnswer? {
    // What answers at an address that nobody has set may be another program.
    val ifFailed = if (provider.hasKey || isSetUp(provider.id) || isOwn(provider.id)) CheckStatus.FAILED else CheckStatus.WARNING
    val any = ModelId(provider.id, ProviderQueries.ANY_MODEL)
    val alive = withTimeoutOrNull(PATIENCE) { isAlive(any) } == true
    val before = if (alive) "is alive ($LIVENESS); " else ""
    return try {
        val models = withTimeoutOrNull(PATIENCE) { models(any) }
        val listing = "models(\"${provider.id}\") lists"
        when {
            models == null -> {
                val finding = "${before}no list of its models within $PATIENCE. Is it reachable from this machine?"
                ListAnswer(check(provider.id, ifFailed, finding), null)
            }
            else -> ListAnswer(
                check(provider.id, CheckStatus.OK, "${before.ifEmpty { "answers; " }}$listing ${models.size} ${if (models.size == 1) "model" else "models"}"),
                models,
            )
        }
    } catch (failure: LlmException) {
        val finding = withoutModel(failure.message.orEmpty(), provider.id)
        val status = when {
            failure.isRefused && !provider.hasKey && !hasBaseUrl(provider.id) && !isOwn(provider.id) -> return null
            failure.isWithoutList -> CheckStatus.SKIPPED
            failure is LlmException.NotFound && isAtOwnHost(provider.id) ->
                return ListAnswer(check(provider.id, CheckStatus.WARNING, before + finding.removeSuffix(OF_ADDRESS)), null)
            else -> ifFailed
        }
        ListAnswer(check(provider.id, status, before + finding), null)
    }
}

private val LlmException.isRefused: Boolean get() = this is LlmException.Network && phase == LlmException.Network.Phase.CONNECT

private val LlmException.isWithoutList: Boolean get() = this is LlmException.InvalidRequest && kind == LlmException.InvalidRequest.Kind.UNSUPPORTED

private fun ProviderQueries.isAtOwnHost(id: String): Boolean = target(UnboundModel(ModelId(id, ProviderQueries.ANY_MODEL)), null)?.let(::isAtOwnHost) == true

private fun credentials(all: List<ProviderStatus>): DoctorCheck? {
    val names = all.filter { it.isReady && it.key == KeySource.CREDENTIALS }.map { it.id }.ifEmpty { return null }
    val finding = "not checked for ${names.joinToString()}: credentials are looked up when a request is sent. Send one to check them"
    return check("credentials", CheckStatus.SKIPPED, finding)
}

private fun notRunning(ids: List<String>): DoctorCheck? {
    if (ids.isEmpty()) return null
    return check("servers on this machine", CheckStatus.SKIPPED, "not running at their usual addresses: ${ids.joinToString()}")
}

internal val PATIENCE = 10.seconds

/** The checks by the client that is the default when the call is sent. */
@InternalLlmApi
@JvmSynthetic
public fun defaultDoctor(): Call<DoctorReport> = doctor { Llm.default.client }
