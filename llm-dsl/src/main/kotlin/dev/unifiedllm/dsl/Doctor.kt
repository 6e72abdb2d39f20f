package dev.unifiedllm.dsl

import dev.unifiedllm.Call
import dev.unifiedllm.DoctorReport
import dev.unifiedllm.EnvironmentReport
import dev.unifiedllm.Llm
import dev.unifiedllm.ProviderStatus
import dev.unifiedllm.defaultDoctor
import dev.unifiedllm.defaultEnvironment
import dev.unifiedllm.defaultProviders

/** The providers, and what [Llm.default] knows to call them: those with a key first. It has the names of variables, and no key. Sends nothing. */
public fun providers(): List<ProviderStatus> = defaultProviders()

/**
 * Checks the set-up of [Llm.default]: asks each provider with a key, and each server on this machine, for its models.
 *
 * Calls no model, and costs nothing. Each of them has 10 seconds, all at once.
 */
public fun doctor(): Call<DoctorReport> = defaultDoctor()

/** What a call to [model] needs from the environment, and what of that [Llm.default] has. Sends nothing. */
public fun validateEnvironment(model: String): EnvironmentReport = defaultEnvironment(model)
