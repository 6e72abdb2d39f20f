package dev.unifiedllm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.StringWriter;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;
import jdk.jshell.JShell;
import jdk.jshell.Snippet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Compiles the Java in README.md, and runs what needs no key. */
class ReadmeTest {
    private static final String CLASS_PATH = System.getProperty("java.class.path");

    /** The Java in the table of settings. */
    private static final List<String> SETTINGS = List.of(
        "Llm.configure(b -> b.provider(\"my-vllm\", p -> p.baseUrl(\"http://gpu-box:8000/v1\")))",
        "Llm.getDefault().chat(\"my-vllm/llama-3\", \"Hi\")",
        "Llm llm = Llm.builder().provider(\"openai\", p -> p.apiKey(key)).build()",
        "llm.chat(\"openai/gpt-4o-mini\", \"Hi\")"
    );

    private static final String IMPORTS = "import dev.unifiedllm.Llm;\nimport dev.unifiedllm.chat.ChatResponse;\n";

    private static final String TABLE_IMPORTS =
        "import dev.unifiedllm.*;\nimport dev.unifiedllm.chat.*;\nimport dev.unifiedllm.store.By;\nimport java.nio.file.Path;\nimport java.util.List;\n";

    private final String readme;

    @TempDir
    Path folder;

    ReadmeTest() throws Exception {
        readme = Files.readString(Path.of("../README.md"));
    }

    private List<String> blocks(String language) {
        return Pattern.compile("(?s)```" + language + "\n(.*?)```").matcher(readme).results().map(block -> block.group(1)).toList();
    }

    private void compile(String name, String source) throws Exception {
        Path file = Files.writeString(folder.resolve(name + ".java"), source);
        var compiler = ToolProvider.getSystemJavaCompiler();
        var messages = new StringWriter();
        try (var files = compiler.getStandardFileManager(null, null, StandardCharsets.UTF_8)) {
            var options = List.of("-Xlint:all,-classfile,-path,-processing", "-Werror", "-cp", CLASS_PATH, "-d", folder.toString());
            assertTrue(compiler.getTask(messages, files, null, options, null, files.getJavaFileObjects(file)).call(), messages.toString());
        }
    }

    private static String printed(Body body) throws Exception {
        PrintStream before = System.out;
        var bytes = new ByteArrayOutputStream();
        System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        try {
            body.run();
        } finally {
            System.setOut(before);
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    private interface Body {
        void run() throws Exception;
    }

    @Test
    void theProgramCompilesAndRunsWithoutAKey() throws Exception {
        compile("Main", blocks("java").get(0));
        String printed = printed(() -> {
            try (var loader = new URLClassLoader(new URL[] {folder.toUri().toURL()}, getClass().getClassLoader())) {
                loader.loadClass("Main").getMethod("main", String[].class).invoke(null, (Object) new String[0]);
            }
        });
        assertTrue(printed.contains("total $0"), printed);
    }

    @Test
    void theOtherBlocksCompile() throws Exception {
        List<String> others = blocks("java").subList(1, blocks("java").size());
        assertEquals(1, others.size());
        compile("WithKeys", IMPORTS + "class WithKeys { static ChatResponse ask(Llm llm) { " + others.get(0) + "return response; } }");
    }

    @Test
    void theSettingsCompile() throws Exception {
        for (String setting : SETTINGS) {
            assertTrue(readme.contains("`" + setting + "`"), setting);
        }
        String body = String.join(";\n", SETTINGS);
        compile("Settings", IMPORTS + "class Settings { static void set(String key) { " + body + "; } }");
    }

    /** The Java column of the table of what you write: each line compiles. */
    @Test
    void theTableOfWhatYouWriteCompiles() throws Exception {
        String table = readme.substring(readme.indexOf("| you want | you write in Kotlin |"));
        List<String> rows = table.substring(0, table.indexOf("\n\n")).lines().skip(2).toList();
        List<String> lines = rows.stream().map(row -> row.substring(0, row.lastIndexOf(" |")))
            .map(row -> row.substring(row.lastIndexOf(" | ") + 3))
            .flatMap(cell -> Pattern.compile("`([^`]+)`").matcher(cell).results().map(line -> line.group(1))).toList();
        assertTrue(lines.size() > rows.size() && rows.size() > 10, lines.toString());
        String ofCall = String.join(";\n", lines.stream().filter(line -> line.startsWith("c.")).toList());
        String others = String.join(";\n", lines.stream().filter(line -> !line.startsWith("c.")).toList());
        compile("Written", TABLE_IMPORTS + "class Written { record City(String name) { } record Movie(String title, int year) { }"
            + " static String lookup(String city) { return \"21 degrees in \" + city; }"
            + " static void call(ChatRequestBuilder c, String schema) { " + ofCall + "; }"
            + " static void others(Llm llm, Reply reply, ChatResponse response, Part.ToolCall call, List<String> texts) { " + others + "; } }");
    }

    @Test
    void theJshellSessionRuns() throws Exception {
        List<String> lines = readme.lines().filter(line -> line.startsWith("jshell> ")).map(line -> line.substring("jshell> ".length())).toList();
        assertEquals(4, lines.size());
        String printed = printed(() -> {
            try (JShell shell = JShell.builder().executionEngine("local").build()) {
                shell.addToClasspath(CLASS_PATH);
                for (String line : lines) {
                    // jshell completes a line with its semicolon
                    for (var event : shell.eval(shell.sourceCodeAnalysis().analyzeCompletion(line).source())) {
                        assertEquals(Snippet.Status.VALID, event.status(), line);
                        assertNull(event.exception(), line);
                    }
                }
            }
        });
        assertTrue(printed.contains("This is the demo model"), printed);
    }

    @Test
    void theCoordinatesHaveTheVersionOfTheBuild() throws Exception {
        var version = Pattern.compile("<version>([^<]+)</version>").matcher(Files.readString(Path.of("../pom.xml")));
        assertTrue(version.find());
        assertTrue(readme.contains("  <version>" + version.group(1) + "</version>"));
        List<String> versions = Pattern.compile("dev\\.unifiedllm:[a-z-]+:([^\"]+)\"").matcher(readme).results().map(found -> found.group(1)).distinct().toList();
        assertEquals(List.of(version.group(1)), versions);
    }
}
