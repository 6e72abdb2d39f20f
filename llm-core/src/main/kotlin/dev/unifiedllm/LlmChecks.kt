package dev.unifiedllm

/** What a client says about its own set-up. */
public abstract class LlmChecks internal constructor(
    @get:JvmSynthetic internal val client: Client,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    /** The providers, and what this client knows to call them: those with a key first. Sends nothing. */
    public fun providers(): List<ProviderStatus> = client.queries.providers()

    /**
     * Checks the set-up: asks each provider with a key, and each server that needs none, for its models. It calls no model and costs nothing; each has
     * 10 seconds.
     */
    public fun doctor(): Call<DoctorReport> = doctor { client }

    /**
     * What a call to [model], "provider/model" or another name that a call may have, needs from the environment, and what of that is there. Sends nothing; for
     * Amazon's models it may read the configuration files of AWS.
     *
     * @throws IllegalArgumentException if [model] is not a model's name
     */
    public fun validateEnvironment(model: String): EnvironmentReport = client.queries.validate(model)
}
