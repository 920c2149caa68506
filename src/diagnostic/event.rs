//! The names of dbt's events, which say in `--warn-error-options` what a warning is about.

/// Events about what a later version of dbt will not take any more. `Deprecations` stands for all of them.
const DEPRECATIONS: &str = "
    AdapterDeprecationWarning ArgumentsPropertyInGenericTestDeprecation BehaviorChangeEvent
    CollectFreshnessReturnSignature ConfigDataPathDeprecation ConfigLogPathDeprecation
    ConfigSourcePathDeprecation ConfigTargetPathDeprecation CustomKeyInConfigDeprecation
    CustomKeyInObjectDeprecation CustomOutputPathInSourceFreshnessDeprecation CustomTopLevelKeyDeprecation
    DeprecationsSummary DuplicateNameDistinctNodeTypesDeprecation DuplicateYAMLKeysDeprecation
    EnvironmentVariableNamespaceDeprecation EnvironmentVariableRenamed ExposureNameDeprecation
    GenericJSONSchemaValidationDeprecation GetMetaKeyWarning InternalDeprecation
    MFCumulativeTypeParamsDeprecation MFTimespineWithoutYamlConfigurationDeprecation MetricAttributesRenamed
    MicrobatchMacroOutsideOfBatchesDeprecation MissingArgumentsPropertyInGenericTestDeprecation
    MissingPlusPrefixDeprecation ModelParamUsageDeprecation ModulesItertoolsUsageDeprecation
    PackageInstallPathDeprecation PackageMaterializationOverrideDeprecation PackageRedirectDeprecation
    ProjectFlagsMovedDeprecation PropertyMovedToConfigDeprecation ResourceNamesWithSpacesDeprecation
    SourceFreshnessProjectHooksNotRun SourceOverrideDeprecation SpacesInResourceNameDeprecation
    TestsConfigDeprecation UnexpectedJinjaBlockDeprecation WEOIncludeExcludeDeprecation
";

/// Every other event.
const OTHERS: &str = "
    AdapterEventDebug AdapterEventError AdapterEventInfo AdapterEventWarning AdapterImportError
    AdapterRegistered ArtifactUploadError ArtifactUploadSkipped ArtifactUploadSuccess ArtifactWritten
    BuildingCatalog CacheAction CacheDumpGraph CacheMiss CannotGenerateDocs CatalogGenerationError
    CatalogWritten CatchableExceptionOnRun CheckCleanPath CheckNodeTestFailure CodeExecution CodeExecutionStatus
    ColTypeChange CommandCompleted CompileComplete CompiledNode ConcurrencyLine ConfigFolderDirectory
    ConfirmCleanPath ConnectionClosed ConnectionClosedInCleanup ConnectionLeftOpen ConnectionLeftOpenInCleanup
    ConnectionReused ConnectionUsed ConstraintNotEnforced ConstraintNotSupported DatabaseErrorRunningHook
    DebugCmdOut DebugCmdResult DefaultSelector DeprecatedModel DeprecatedReference DepsAddPackage
    DepsCreatingLocalSymlink DepsFoundDuplicatePackage DepsInstallInfo DepsListSubdirectory DepsLockUpdating
    DepsNoPackagesFound DepsNotifyUpdatesAvailable DepsScrubbedPackageName DepsSetDownloadDirectory
    DepsStartPackageInstall DepsSymlinkNotAvailable DepsUnpinned DepsUpToDate DepsUpdateAvailable
    DisableTracking EndOfRunSummary EndRunResult EnsureGitInstalled FinishedCleanPaths FinishedRunningStats
    FlushEvents FlushEventsFailure Formatting FoundStats FreshnessCheckComplete FreshnessConfigProblem
    GenericExceptionOnRun GitNothingToDo GitProgressCheckedOutAt GitProgressCheckoutRevision
    GitProgressPullingNewDependency GitProgressUpdatedCheckoutRange GitProgressUpdatingExistingDependency
    GitSparseCheckoutSubdirectory HooksRunning InputFileDiffError InternalErrorOnRun
    InvalidConcurrentBatchesConfig InvalidDisabledTargetInTestNode InvalidMacroAnnotation InvalidOptionYAML
    InvalidProfileTemplateYAML InvalidValueForField JinjaLogDebug JinjaLogInfo JinjaLogWarning ListCmdOut
    ListRelations LogBatchResult LogCancelLine LogDbtProfileError LogDbtProjectError LogDebugStackTrace
    LogFreshnessResult LogFunctionResult LogHookEndLine LogHookStartLine LogModelResult LogNodeNoOpResult
    LogNodeResult LogSeedResult LogSkipBecauseError LogSnapshotResult LogStartBatch LogStartLine LogTestResult
    MacroNotFoundForPatch MainEncounteredError MainKeyboardInterrupt MainReportArgs MainReportVersion
    MainStackTrace MainTrackingUserState MarkSkippedChildren MicrobatchExecutionDebug
    MicrobatchModelNoEventTimeInputs MissingProfileTarget NewConnection NewConnectionOpening NoNodeForYamlKey
    NoNodesForSelectionCriteria NoNodesSelected NoSampleProfileFound NodeCompiling NodeConnectionReleaseError
    NodeExecuting NodeFinished NodeNotFoundOrDisabled NodeStart Note NothingToDo OpenCommand
    PackageNodeDependsOnRootProjectNode ParseInlineNodeError ParsePerfInfoPath ParsedFileLoadFailed
    PartialParsingEnabled PartialParsingError PartialParsingErrorProcessingFile PartialParsingFile
    PartialParsingNotEnabled PartialParsingSkipParsing PluginLoadError PrintEvent
    ProfileWrittenWithProjectTemplateYAML ProfileWrittenWithSample ProfileWrittenWithTargetTemplateYAML
    ProjectCreated ProjectNameAlreadyExists ProtectedCleanPath QueryCancelationUnsupported RecordReplayIssue
    RecordRetryException RegistryIndexProgressGETRequest RegistryIndexProgressGETResponse
    RegistryProgressGETRequest RegistryProgressGETResponse RegistryResponseExtraNestedKeys
    RegistryResponseMissingNestedKeys RegistryResponseMissingTopKeys RegistryResponseUnexpectedType
    ResourceReport RetryExternalCall Rollback RollbackFailed RunResultError RunResultErrorNoMessage
    RunResultFailure RunResultWarning RunResultWarningMessage RunningOperationCaughtError
    RunningOperationUncaughtError SQLCommit SQLCompiledPath SQLQuery SQLQueryStatus SQLRunnerException
    SchemaCreation SchemaDrop SeedExceedsLimitAndPathChanged SeedExceedsLimitChecksumChanged
    SeedExceedsLimitSamePath SeedHeader SeedIncreased SelectorReportInvalidSelector SemanticValidationFailure
    SendEventFailure SendingEvent SettingUpProfile ShowNode SkippingDetails SnapshotTimestampWarning
    StarterProjectPath StateCheckVarsHash StatsLine SystemCouldNotWrite SystemExecutingCmd
    SystemReportReturnCode SystemStdErr SystemStdOut TimingInfoCollected TrackingInitializeFailure
    TypeCodeNotFound UnableToPartialParse UnpinnedRefNewVersionAvailable UnsupportedConstraintMaterialization
    UnusedResourceConfigPath UnusedTables UnversionedBreakingChange UpcomingReferenceDeprecation
    ValidationWarning WarnStateTargetEqual WriteCatalogFailure WritingInjectedSQLForNode WrongResourceSchemaFile
";

/// One of dbt's events. Source: <https://docs.getdbt.com/reference/events-logging>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event(u16);

impl Event {
    pub fn named(name: &str) -> Option<Event> {
        let place = names().position(|known| known == name)?;
        u16::try_from(place).ok().map(Event)
    }

    pub fn name(self) -> &'static str {
        names().nth(usize::from(self.0)).expect("only `named` makes events")
    }

    /// Whether `Deprecations` stands for it.
    pub fn is_deprecation(self) -> bool {
        DEPRECATIONS.split_whitespace().any(|known| known == self.name())
    }
}

/// The names of all events.
pub fn names() -> impl Iterator<Item = &'static str> {
    DEPRECATIONS.split_whitespace().chain(OTHERS.split_whitespace())
}
