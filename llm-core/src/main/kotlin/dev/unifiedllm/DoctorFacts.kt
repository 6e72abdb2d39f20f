package dev.unifiedllm

import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.demo.DemoModel
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.nearest
import dev.unifiedllm.store.StoreException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import java.time.ZoneId

/** The endpoint of a LiteLLM proxy that says that it runs. `/health` would call every model of it. */
internal const val LIVENESS: String = "/health/liveliness"

internal fun library(): DoctorCheck {
    val version = Llm::class.java.getPackage()?.implementationVersion ?: "of a development build"
    return check("unified-llm", CheckStatus.OK, "version $version, Kotlin ${KotlinVersion.CURRENT}")
}

/** The files that the settings come from, and what is wrong with them. */
internal fun ProviderQueries.files(): List<DoctorCheck> {
    val dotEnv = settled.dotEnv?.let { file ->
        val names = file.names.sorted().joinToString().ifEmpty { "no variable" }
        check("${file.file.fileName}", severity(file.warnings), (listOf("has $names") + file.warnings).joinToString("; "))
    }
    val config = settled.file?.let { check("${it.file.fileName}", severity(it.warnings), (listOf("is read") + it.warnings).joinToString("; ")) }
    return listOfNotNull(config, dotEnv)
}

private fun severity(warnings: List<String>) = if (warnings.isEmpty()) CheckStatus.OK else CheckStatus.WARNING

/** Where costs are kept, and what is left of the budgets. */
internal suspend fun ProviderQueries.money(): List<DoctorCheck> = listOfNotNull(ledger(), sharedState()) + budgetLines()

private suspend fun ProviderQueries.sharedState(): DoctorCheck? {
    val state = state ?: return null
    return try {
        state.ping()
        check("state", CheckStatus.OK, "${state.redis.address} answers")
    } catch (failure: StoreException) {
        check(
            "state",
            CheckStatus.WARNING,
            "${failure.message} Limits count in this process alone, the cache has nothing there, and budgets do as they are set",
        )
    }
}

private suspend fun ProviderQueries.budgetLines(): List<DoctorCheck> = try {
    budgets().map { status ->
        val until = status.resetsAt?.let { ", until $it" }.orEmpty()
        val finding = "${status.spent} of ${status.limit} is spent${status.tag?.let { " by calls with the tag $it" }.orEmpty()}$until"
        check("budget ${status.name}", if (status.state == BudgetStatus.State.OK) CheckStatus.OK else CheckStatus.WARNING, finding)
    }
} catch (failure: LlmException.Network) {
    listOf(check("budgets", CheckStatus.WARNING, failure.message.orEmpty()))
}

private suspend fun ProviderQueries.ledger(): DoctorCheck {
    val ledger = lastingLedger ?: return check("ledger", CheckStatus.OK, "costs are kept in memory. ledger() or $LEDGER=on keeps them in a file")
    val why = try {
        withContext(Dispatchers.IO) {
            ledger.flush()
            ledger.facts(null, ZoneId.systemDefault()) // opens it
        }
        ledger.problem
    } catch (failure: StoreException) {
        ledger.problem ?: failure.message
    }
    return if (why == null) check("ledger", CheckStatus.OK, "costs are kept in ${ledger.place}") else check("ledger", CheckStatus.WARNING, why)
}

internal fun ProviderQueries.withoutPrefix(): DoctorCheck {
    val row = names.byWhatIsSet()
    val finding = when {
        names.environment["USE_LITELLM_PROXY"].toBoolean() -> "all names go to litellm_proxy: USE_LITELLM_PROXY is set"
        row == null -> "a name without prefix goes to the provider of its family; for others, azure, openai and anthropic are not set up"
        else ->
            "a name without prefix goes to the provider of its family, a default model of no family to ${row.id}: it is the first of azure, openai and " +
                "anthropic that is set up"
    }
    return check("names without prefix", CheckStatus.OK, finding)
}

/** @param listed the names of the models that providers list, by their ids */
internal fun ProviderQueries.defaultModel(listed: Map<String, List<String>>): DoctorCheck = try {
    val id = names.default()
    val model = when (val member = members(id).first()) {
        is UnboundModel -> member
        is GroupModel -> member.targets.first().model as UnboundModel
        else -> UnboundModel(member.id)
    }
    when (val target = target(model, null)) {
        null -> check("default model", CheckStatus.OK, "$id").also { DemoModel(found(model).name) } // throws if there is no such demo model
        else -> offered(id, target, listed[target.provider.id])
    }
} catch (wrong: LlmException) {
    check("default model", CheckStatus.WARNING, wrong.message.orEmpty())
} catch (wrong: IllegalArgumentException) { // no name of a model
    check("default model", CheckStatus.WARNING, wrong.message.orEmpty())
}

private fun ProviderQueries.offered(id: ModelId, target: Target, models: List<String>?): DoctorCheck {
    val name = if (id == target.id) "$id" else "$id, which is ${target.id}"
    val isListed = models == null || target.provider.azure != null || models.any { it == target.name || it.removeSuffix(":latest") == target.name }
    val list = when {
        models == null || target.provider.azure != null -> null // Azure lists its models, and no deployments
        isListed -> "${target.provider.id} lists it"
        else -> "${target.provider.id} does not list it" + nearest(target.name, models).let { if (it.isEmpty()) "" else ", but ${it.joinToString()}" }
    }
    return check(
        "default model",
        if (isListed) CheckStatus.OK else CheckStatus.WARNING,
        listOfNotNull(name, list, priceOf(target)).joinToString("; "),
    )
}

private fun ProviderQueries.priceOf(target: Target): String {
    val rule = prices.billing(target)
    val price = rule.price ?: return if (rule.kind == BillingRule.Kind.FREE) "free: ${rule.why}" else "its costs are Unknown: ${rule.why}"
    val rates = listOfNotNull(
        price.inputPerMillion?.let { "${it.amount.toPlainString()} in" },
        price.outputPerMillion?.let { "${it.amount.toPlainString()} out" },
    )
    val rate = if (rates.isEmpty()) "known" else "USD ${rates.joinToString(" and ")} per million tokens"
    return "price: $rate; ${rule.why}"
}
