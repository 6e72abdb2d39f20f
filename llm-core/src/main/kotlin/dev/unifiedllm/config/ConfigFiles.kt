package dev.unifiedllm.config

import dev.unifiedllm.LlmException
import java.nio.file.Path

/**
 * Reads the settings in [file]: a JSON object in the form of docs/configuration.md, a `config.ini` with a section `[LLM]`, or the `config.yaml` of a LiteLLM
 * proxy. Its name decides which of them it is (`.json`, `.ini`, `.cfg`, `.yaml`, `.yml`), else its first character.
 *
 * @param wires the names of all wires
 * @throws LlmException.Configuration if it cannot be read, or a key or a value is wrong; the message names the file, the line and the key
 */
internal fun readSettings(file: Path, wires: Set<String>): FileSettings {
    val text = ConfigText.read(file)
    val first = text.text.trimStart().firstOrNull()
    return when (file.fileName.toString().substringAfterLast('.', "").lowercase()) {
        "json" -> ownSettings(text, wires)
        "ini", "cfg" -> iniSettings(text)
        "yaml", "yml" -> proxySettings(text)
        else -> when (first) {
            '{' -> ownSettings(text, wires)
            '[', '#', ';' -> iniSettings(text)
            else -> text.wrong(null, "its form is not known. Name the file .json, .ini or .yaml, by what it is")
        }
    }
}
