package dev.unifiedllm.transport.credential

import dev.unifiedllm.provider.AwsSettings
import java.io.IOException
import java.nio.file.InvalidPathException
import java.nio.file.Path
import kotlin.io.path.readLines

/**
 * The profiles in AWS's configuration files, `~/.aws/config` and `~/.aws/credentials`, or where `AWS_CONFIG_FILE` and
 * `AWS_SHARED_CREDENTIALS_FILE` say ([docs.aws.amazon.com](https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html), read
 * 2026-11-21). Read anew each time, so that a new key counts at once.
 */
internal class AwsProfiles(private val environment: (String) -> String?) {
    /** The profile that counts: the one set in code, else `AWS_PROFILE`'s, else "default". */
    fun name(settings: AwsSettings): String = settings.profile ?: variable("AWS_PROFILE") ?: variable("AWS_DEFAULT_PROFILE") ?: DEFAULT

    /** True when somebody named a profile, so that its lack is a mistake. */
    fun isNamed(settings: AwsSettings): Boolean = name(settings) != DEFAULT

    /** The region that the profile names; null if there is none, or no file. */
    fun region(settings: AwsSettings): String? = find(name(settings))?.get("region")

    /** The settings of profile [name] from both files, the credentials file's first; null if neither has it. */
    fun find(name: String): Map<String, String>? {
        val configured = sections(file("AWS_CONFIG_FILE", "config"))
        val config = configured["profile $name"] ?: configured[name].takeIf { name == DEFAULT }
        val credentials = sections(file("AWS_SHARED_CREDENTIALS_FILE", "credentials"))[name]
        return if (config == null && credentials == null) null else config.orEmpty() + credentials.orEmpty()
    }

    private fun file(variable: String, usual: String): Path? = try {
        val home = variable("HOME") ?: variable("USERPROFILE")
        variable(variable)?.let { if (it.startsWith("~/") && home != null) Path.of(home, it.substring(2)) else Path.of(it) }
            ?: home?.let { Path.of(it, ".aws", usual) }
    } catch (_: InvalidPathException) {
        null
    }

    private fun sections(file: Path?): Map<String, Map<String, String>> = try {
        parse(file?.readLines().orEmpty())
    } catch (_: IOException) {
        emptyMap() // as good as none: the message about missing keys follows
    }

    private fun variable(name: String): String? = environment(name)?.trim()?.ifEmpty { null }

    internal companion object {
        private const val DEFAULT = "default"

        /** `[section]` and `name = value`; comments begin a line or follow a blank, and indented lines are settings within a setting. */
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
