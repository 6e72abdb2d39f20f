package dev.unifiedllm.config

import org.snakeyaml.engine.v2.api.LoadSettings
import org.snakeyaml.engine.v2.api.lowlevel.Compose
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException
import org.snakeyaml.engine.v2.exceptions.YamlEngineException
import org.snakeyaml.engine.v2.nodes.MappingNode
import org.snakeyaml.engine.v2.nodes.Node
import org.snakeyaml.engine.v2.nodes.ScalarNode
import org.snakeyaml.engine.v2.nodes.SequenceNode
import kotlin.jvm.optionals.getOrNull

/** A node of a YAML text. @property line counted from 1 */
internal sealed class Yaml(val line: Int) {
    class Scalar(val text: String, line: Int) : Yaml(line)

    class Sequence(val items: List<Yaml>, line: Int) : Yaml(line)

    class Mapping(val entries: Map<String, Yaml>, line: Int) : Yaml(line)
}

/** Reads YAML by snakeyaml-engine: the one file that needs this optional dependency. Nothing is constructed from the tags of the text. */
internal object YamlFile {
    /** Null for an empty text. @throws NoClassDefFoundError without the dependency. @throws dev.unifiedllm.LlmException.Configuration if it is no YAML */
    fun read(text: ConfigText): Yaml? = try {
        Compose(LoadSettings.builder().setLabel(text.file.fileName.toString()).build()).composeString(text.text).getOrNull()?.let { converted(it, MAX_DEPTH) }
    } catch (wrong: MarkedYamlEngineException) {
        text.wrong(wrong.problemMark.getOrNull()?.let { it.line + 1 }, "it is no YAML: ${wrong.problem}", wrong)
    } catch (wrong: YamlEngineException) {
        text.wrong(null, "it is no YAML: ${wrong.message?.lineSequence()?.firstOrNull()?.trimEnd('.')}", wrong)
    }

    private fun converted(node: Node, depth: Int): Yaml {
        if (depth == 0) throw YamlEngineException("its values are nested too deeply")
        val line = node.startMark.getOrNull()?.let { it.line + 1 } ?: 1
        return when (node) {
            is MappingNode -> Yaml.Mapping(
                node.value.associate { entry -> ((entry.keyNode as? ScalarNode)?.value ?: "?") to converted(entry.valueNode, depth - 1) },
                line,
            )
            is SequenceNode -> Yaml.Sequence(node.value.map { converted(it, depth - 1) }, line)
            is ScalarNode -> Yaml.Scalar(node.value, line)
            else -> throw YamlEngineException("it has an alias that names a value around it")
        }
    }

    private const val MAX_DEPTH = 20
}
