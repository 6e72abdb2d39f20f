package dev.unifiedllm.provider

/**
 * Finds the AWS region of a model: set in code, else named with the model, else in a variable, else in the profile.
 *
 * @param profileRegion the region that a profile of AWS's configuration files names
 */
internal class AwsRegions(private val environment: Environment, private val profileRegion: (AwsSettings) -> String?) {
    /** The settings with the region of the model called [name] in them. */
    fun settings(name: String, settings: AwsSettings): AwsSettings {
        val named = (PREFIX.find(name) ?: ARN.find(name))?.groupValues?.get(1)
        return settings.copy(region = settings.region ?: named ?: environment.first(VARIABLES)?.value ?: profileRegion(settings))
    }

    /** [name] without the region before it. */
    fun withoutRegion(name: String): String = name.replace(PREFIX, "")

    companion object {
        val VARIABLES: List<String> = listOf("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION")

        /** LiteLLM's spelling: `bedrock/us-west-2/MODEL`. */
        private val PREFIX = Regex("^([a-z]{2}(?:-[a-z]+)+-\\d)/(?=.)")
        private val ARN = Regex("^arn:aws[^:]*:[^:]+:([a-z0-9-]+):")
    }
}
