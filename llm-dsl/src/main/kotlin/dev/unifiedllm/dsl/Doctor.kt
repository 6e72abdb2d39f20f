package dev.unifiedllm.dsl

import dev.unifiedllm.Call
import dev.unifiedllm.DoctorReport
import dev.unifiedllm.Llm
import dev.unifiedllm.ProviderStatus
import dev.unifiedllm.defaultDoctor
import dev.unifiedllm.defaultProviders

/** The providers, and what [Llm.default] knows to call them: those with a key first. It has the names of variables, and no key. Sends nothing. */
public fun providers(): List<ProviderStatus> = defaultProviders()

/**
 * Checks the set-up of [Llm.default]: asks each provider with a key, and each server on this machine, for its models.
 *
 * Costs nothing. Each of them has 10 seconds, all at once.
 */
public fun doctor(): Call<DoctorReport> = defaultDoctor()
