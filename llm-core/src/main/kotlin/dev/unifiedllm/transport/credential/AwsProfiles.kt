package dev.unifiedllm.transport.credential

import dev.unifiedllm.provider.AwsSettings
import dev.unifiedllm.provider.Environment
import java.io.IOException
import java.nio.file.InvalidPathException
import java.nio.file.Path
import kotlin.io.path.readLines

/**
 * Reads the profiles in the AWS configuration files: `~/.aws/config` and `~/.aws/credentials`, or the files that `AWS_CONFIG_FILE` and
 * `AWS_SHARED_CREDENTIALS_FILE` name ([docs.aws.amazon.com](https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html), read
 * 2026-11-21). The files are read again each time, so that a new key takes effect at once.
 */
internal class AwsProfiles(private val environment: Environment) {
    /** The name of the profile to use: the one set in code, else that of `AWS_PROFILE`, else "default". */
    fun name(settings: AwsSettings): String = settings.profile ?: environment.first(NAMES)?.value ?: DEFAULT

    /** True if code or a variable names the profile: then it must exist. */
    fun isNamed(settings: AwsSettings): Boolean = name(settings) != DEFAULT

    /** The region of the profile; null if it has none, or if there is no such file or profile. */
    fun region(settings: AwsSettings): String? = find(name(settings))?.get("region")

    /** The settings of profile [name] in both files, those of the credentials file first; null if neither file has the profile. */
    fun find(name: String): Map<String, String>? {
        val configured = sections(file("AWS_CONFIG_FILE", "config"))
        val config = configured["profile $name"] ?: configured[name].takeIf { name == DEFAULT }
        val credentials = sections(file("AWS_SHARED_CREDENTIALS_FILE", "credentials"))[name]
        return if (config == null && credentials == null) null else config.orEmpty() + credentials.orEmpty()
    }

    private fun file(variable: String, usual: String): Path? = try {
        val home = environment.first(HOMES)?.value
        environment[variable]?.let { if (it.startsWith("~/") && home != null) Path.of(home, it.substring(2)) else Path.of(it) }
            ?: home?.let { Path.of(it, ".aws", usual) }
    } catch (_: InvalidPathException) {
        null
    }

    private fun sections(file: Path?): Map<String, Map<String, String>> = try {
        parse(file?.readLines().orEmpty())
    } catch (_: IOException) {
        emptyMap() // as if the file did not exist: the caller reports missing keys
    }

    internal companion object {
        private const val DEFAULT = "default"
        private val NAMES = listOf("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
        private val HOMES = listOf("HOME", "USERPROFILE")

        /**
         * Reads `[section]` and `name = value`. A comment begins at the start of a line, or after white space; indented lines, which are nested
         * settings, are skipped.
         */
        fun parse(lines: List<String>): Map<String, Map<String, String>> {
            val sections = linkedMapOf<String, MutableMap<String, String>>()
            var section: MutableMap<String, String>? = null
            for (line in lines) {
                val text = line.trim()
                when {
                    text.isEmpty() || text[0] == '#' || text[0] == ';' || line[0].isWhitespace() -> continue
                    text[0] == '[' -> section = sections.getOrPut(text.substring(1).substringBefore(']').trim().replace(Regex("\\s+"), " "), ::linkedMapOf)
                    '=' in text -> section?.put(text.substringBefore('=').trim().lowercase(), text.substringAfter('=').replace(Regex("\\s[#;].*$"), "").trim())
                }
            }
            return sections
        }
    }
}
